package stack_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
)

// accepting calls Accept, and returns where its error will be.
func accepting(l *stack.Listener) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	synctest.Wait()
	return done
}

// returned is what an Accept has returned by now; nil: it waits.
func returned(done <-chan error) error {
	synctest.Wait()
	select {
	case err := <-done:
		return err
	default:
		return nil
	}
}

// A device fails for good. Nobody waits for ever in Accept for what cannot come, and those
// who have another device wait on.
func TestDeadDevice(t *testing.T) {
	for _, test := range []struct {
		name  string
		cause error
	}{
		{"Failed", errRemoved},
		{"Closed", net.ErrClosed}, // by whoever has made it
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log told
				s := newToldStack(&log)
				defer s.Close()
				n := &ftcptest.Network{}
				defer n.Close()
				var devices []*adapter
				for _, a := range []string{"10.0.0.5", "10.0.0.6"} {
					d := &adapter{Port: n.Port(a)}
					devices = append(devices, d)
					if _, err := s.AddLink(d, stack.LinkConfig{Addr: netip.MustParseAddr(a), MAC: groupMAC}); err != nil {
						t.Fatal(err)
					}
				}
				var waits []<-chan error
				for _, a := range []string{"10.0.0.5:80", "10.0.0.6:80", "0.0.0.0:81"} {
					l, err := s.Listen(netip.MustParseAddrPort(a))
					if err != nil {
						t.Fatal(err)
					}
					waits = append(waits, accepting(l))
				}
				devices[0].tear(test.cause)
				if err := returned(waits[0]); !errors.Is(err, test.cause) {
					t.Errorf("Accept returned %v", err)
				}
				for _, w := range waits[1:] {
					if err := returned(w); err != nil {
						t.Errorf("Accept where there is another device returned %v", err)
					}
				}
				devices[1].tear(test.cause)
				for _, w := range waits[1:] {
					if err := returned(w); !errors.Is(err, test.cause) {
						t.Errorf("Accept returned %v", err)
					}
				}
				l, err := s.Listen(netip.MustParseAddrPort("10.0.0.6:82"))
				if err != nil {
					t.Fatal(err)
				}
				if err := returned(accepting(l)); !errors.Is(err, test.cause) {
					t.Errorf("Accept of a listener that came too late returned %v", err)
				}
			})
		})
	}
}

// Accept waits for a device that may come back, and no longer than until the stack is
// closed, which does not wait for the device.
func TestDeadDeviceReopened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log told
		s := newToldStack(&log)
		n := &ftcptest.Network{}
		defer n.Close()
		d := &adapter{Port: n.Port("server")}
		cfg := stack.LinkConfig{Addr: serverAddr.Addr(), MAC: groupMAC,
			Reopen: func() (device.Device, error) { return nil, errRemoved }}
		if _, err := s.AddLink(d, cfg); err != nil {
			t.Fatal(err)
		}
		l, err := s.Listen(serverAddr)
		if err != nil {
			t.Fatal(err)
		}
		waits := accepting(l)
		d.tear(errRemoved)
		time.Sleep(time.Minute)
		if err := returned(waits); err != nil {
			t.Fatalf("Accept returned %v", err)
		}
		began := time.Now()
		s.Close()
		l.Close()
		if err := returned(waits); !errors.Is(err, net.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("Accept returned %v, after %v", err, time.Since(began))
		}
	})
}
