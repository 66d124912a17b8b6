//go:build linux && !race

package kernel_test

const raceEnabled = false
