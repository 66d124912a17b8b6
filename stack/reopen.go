package stack

import (
	"errors"
	"fmt"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
)

// reopenInterval is the time before a device that has failed is opened again, and between
// two attempts.
const reopenInterval = 200 * time.Millisecond

// replace is called, by the reading goroutine, when the device has failed because of err.
// It returns true when there is another one in its place, and false if there will be
// none.
func (l *Link) replace(err error, said *sayings) bool {
	l.failed.Store(true)
	log := l.stack.log
	if l.cfg.Reopen == nil {
		log.Error("ftcp: the network device failed, for good", "addr", l.cfg.Addr, "err", err)
		return false
	}
	if said.first(err) {
		log.Error("ftcp: the network device failed; it is opened again when its interface is back",
			"addr", l.cfg.Addr, "err", err)
	}
	l.device().Close()
	for {
		hw, err := l.reopen()
		switch {
		case err == errEnded:
			return false
		case err != nil:
			if said.first(err) {
				log.Warn("ftcp: the network device cannot be opened again yet", "addr", l.cfg.Addr, "err", err)
			}
			continue
		case !l.use(hw):
			hw.dev.Close()
			return false
		}
		if said.first(errBack) {
			log.Info("ftcp: the interface is back", "addr", l.cfg.Addr, "mac", hw.mac, "mtu", hw.features.MTU)
		}
		if l.mayAnnounce() {
			l.announceOnce()
		}
		l.repeatAnnouncement()
		return true
	}
}

var (
	errEnded = errors.New("stack: the link is closed")
	errBack  = errors.New("the interface is back") // for sayings
)

// reopen waits, and then asks once for another device. Reopen has a goroutine of its own,
// so that one that waits, perhaps for who closes the link, keeps nobody.
func (l *Link) reopen() (*hardware, error) {
	pause := time.NewTimer(reopenInterval)
	defer pause.Stop()
	select {
	case <-l.ending:
		return nil, errEnded
	case <-pause.C:
	}
	type result struct {
		dev device.Device
		err error
	}
	results := make(chan result)
	go func() {
		dev, err := l.cfg.Reopen()
		select {
		case results <- result{dev, err}:
		case <-l.ending:
			if err == nil {
				dev.Close()
			}
		}
	}()
	select {
	case <-l.ending:
		return nil, errEnded
	case r := <-results:
		if r.err != nil {
			return nil, r.err
		}
		hw, err := l.successor(r.dev)
		if err != nil {
			r.dev.Close()
		}
		return hw, err
	}
}

// successor says whether dev can take the device's place. Connections have been made for
// what that one could do: they find out about a smaller MTU by themselves, but not that
// nobody cuts their segments any more.
func (l *Link) successor(dev device.Device) (*hardware, error) {
	was := l.hw.Load()
	hw, err := newHardware(dev, &l.cfg)
	switch {
	case err != nil:
		return nil, err
	case hw.mac.IsZero() != was.mac.IsZero():
		return nil, errors.New("stack: one of the old and the new device has Ethernet headers, the other not")
	case hw.features.GSO < was.features.GSO:
		return nil, fmt.Errorf("stack: the new device cuts segments from %d bytes, the old one did from %d",
			hw.features.GSO, was.features.GSO)
	}
	return hw, nil
}

// use puts hw into the place of the device; false if the link is closed.
func (l *Link) use(hw *hardware) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.ending:
		return false
	default:
	}
	l.hw.Store(hw)
	l.failed.Store(false)
	return true
}

// end makes hw the last device, and returns it.
func (l *Link) end() device.Device {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.ending:
	default:
		close(l.ending)
	}
	return l.device()
}

// sayings are what an operator has been told of a device's failure. He is told each thing
// once, however often it happens before a device works again.
type sayings struct{ said map[string]bool }

// steady is how long a device works until it is believed: what happens to it then is told
// anew.
const steady = 10 * time.Second

// maxSayings bounds them, should every error have a text of its own.
const maxSayings = 16

// first says whether err is to be told.
func (s *sayings) first(err error) bool {
	text := err.Error()
	if s.said[text] || len(s.said) >= maxSayings {
		return false
	}
	if s.said == nil {
		s.said = map[string]bool{}
	}
	s.said[text] = true
	return true
}

// forget is called when a device works.
func (s *sayings) forget() { s.said = nil }
