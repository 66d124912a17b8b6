package main

import "testing"

func TestMemory(t *testing.T) {
	cfg := config{size: 8 << 20, killAt: -1, rounds: 3, history: 8<<20 + lengthSize}
	p, err := memory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := run(t.Context(), cfg, p); err != nil {
		t.Error(err)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{
		"1": 1, "64M": 64 << 20, "1g": 1 << 30, "1.5KiB": 1536, "4GB": 4 << 30,
		"": 0, "0": 0, "-1": 0, "M": 0, "5G": 0, "NaN": 0, "1T": 0,
	} {
		var s size
		if err := s.Set(text); (err == nil) != (want != 0) || s != want {
			t.Errorf("%q: %d, %v; want %d", text, s, err, want)
		}
	}
	if got := size(64 << 20).String(); got != "64M" {
		t.Errorf("%s, want 64M", got)
	}
}
