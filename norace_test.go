//go:build linux && !race

package ftcp_test

const raceEnabled = false
