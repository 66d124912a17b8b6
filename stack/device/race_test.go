//go:build linux && race

package device

const raceEnabled = true
