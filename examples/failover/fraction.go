package main

import (
	"errors"
	"strconv"
)

// A fraction is a part of the transfer; negative: random.
type fraction float64

// Set implements flag.Value.
func (f *fraction) Set(text string) error {
	if text == "random" {
		*f = -1
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return errors.New("neither a fraction from 0 to 1 nor random")
	}
	*f = fraction(v)
	return nil
}

// String implements flag.Value.
func (f fraction) String() string {
	if f < 0 {
		return "random"
	}
	return strconv.FormatFloat(float64(f), 'g', -1, 64)
}
