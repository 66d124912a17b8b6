package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A size is a number of bytes, as a flag.
type size int64

var units = map[byte]size{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}

// Set implements flag.Value.
func (s *size) Set(text string) error {
	digits, unit := strings.ToUpper(text), size(1)
	digits = strings.TrimSuffix(strings.TrimSuffix(digits, "B"), "I")
	if n := len(digits); n > 0 && units[digits[n-1]] != 0 {
		digits, unit = digits[:n-1], units[digits[n-1]]
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return errors.New("not a size such as 64M")
	}
	if v := n * float64(unit); !(v >= 1 && v <= maxSize) {
		return fmt.Errorf("not from 1 byte to %v", size(maxSize))
	}
	*s = size(n * float64(unit))
	return nil
}

// String implements flag.Value.
func (s size) String() string {
	for _, u := range [...]string{"G", "M", "K"} {
		if unit := units[u[0]]; s >= unit && s%unit == 0 {
			return strconv.FormatInt(int64(s/unit), 10) + u
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
