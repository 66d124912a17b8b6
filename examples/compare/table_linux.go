package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// A table has the results of every stack and direction, by round.
type table map[[2]string][]result

func (t table) add(stack, direction string, r result) {
	key := [2]string{stack, direction}
	t[key] = append(t[key], r)
}

// print writes what was measured in one direction. A ratio is the median of the ratios of each round.
func (t table) print(w io.Writer, direction string, stacks []string) {
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "%s\tGbit/s\tmin\tmax\tserver s/GB\tclient s/GB\t", direction)
	var against []string
	for _, s := range []string{"kernel", "gvisor", "ftcp"} {
		if slices.Contains(stacks, s) {
			against = append(against, s)
			fmt.Fprintf(tw, "/ %s\t", s)
		}
	}
	fmt.Fprintln(tw)
	for _, s := range stacks {
		results := t[[2]string{s, direction}]
		rate := each(results, result.gbits)
		fmt.Fprintf(tw, "%s\t%.2f\t%.2f\t%.2f\t", s, median(rate), slices.Min(rate), slices.Max(rate))
		servers := each(results, func(r result) float64 { return r.servers.Seconds() / float64(r.Bytes) * 1e9 })
		clients := each(results, func(r result) float64 { return r.client.Seconds() / float64(r.Bytes) * 1e9 })
		fmt.Fprintf(tw, "%.3f\t%.3f\t", median(servers), median(clients))
		for _, other := range against {
			fmt.Fprintf(tw, "%.2f\t", median(ratios(rate, each(t[[2]string{other, direction}], result.gbits))))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

func each(results []result, f func(result) float64) []float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = f(r)
	}
	return values
}

// median is the middle one, or the mean of the two in the middle.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
