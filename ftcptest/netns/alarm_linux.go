package netns

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// An alarm is a timer of the kernel. Those of package time are late by up to a millisecond in a process that
// is otherwise idle, which is eight frames at 100 Mbit/s.
type alarm struct{ file *os.File }

func newAlarm() (alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return alarm{}, os.NewSyscallError("timerfd_create", err)
	}
	return alarm{os.NewFile(uintptr(fd), "timerfd")}, nil
}

// set makes wait return at a time, instead of the one that was set before.
func (a alarm) set(at time.Time) error {
	return withFD(a.file, func(fd int) error {
		spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(time.Until(at)), 1))} // 0 would be never
		return unix.TimerfdSettime(fd, 0, &spec, nil)
	})
}

// wait returns when the time has come. Its error means that the alarm is closed.
func (a alarm) wait() error {
	var expirations [8]byte
	_, err := a.file.Read(expirations[:])
	return err
}
