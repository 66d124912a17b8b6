//go:build linux && !race

package device

const raceEnabled = false
