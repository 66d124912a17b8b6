package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A farTable has the results of every link and contender, by round.
type farTable struct {
	contenders []contender
	links      []link // in the order in which they were measured
	results    map[link][][]result
}

func (t *farTable) add(l link, results []result) {
	if t.results == nil {
		t.results = map[link][][]result{}
	}
	if t.results[l] == nil {
		t.links = append(t.links, l)
		t.results[l] = make([][]result, len(results))
	}
	for i, r := range results {
		t.results[l][i] = append(t.results[l][i], r)
	}
}

// print writes what was measured. A ratio is to the kernel with the same congestion control, and the median of
// the ratios of each round.
func (t *farTable) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "round trip\tloss\treordered\t")
	for _, c := range t.contenders {
		fmt.Fprintf(tw, "%s %s\t", c.stack, c.congestion)
		if c.stack != "kernel" {
			fmt.Fprint(tw, "ratio\t")
		}
	}
	fmt.Fprintln(tw)
	for _, l := range t.links {
		fmt.Fprintf(tw, "%v\t%v %%\t%v %%\t", l.rtt, l.loss, l.reorder)
		kernel := map[string][]float64{}
		for i, c := range t.contenders {
			rate := each(t.results[l][i], result.mbits)
			fmt.Fprintf(tw, "%.2f\t", median(rate))
			if c.stack == "kernel" {
				kernel[c.congestion] = rate
			} else {
				fmt.Fprintf(tw, "%.2f\t", median(ratios(rate, kernel[c.congestion])))
			}
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

// ratios divides round by round.
func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}
