package ftcptest_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// Outputs of which one is longer, and of which an early byte differs or none does. Those
// that differ cannot become the same: the client must not wait for MaxLag.
func TestPrefixThatDiffers(t *testing.T) {
	for _, test := range []struct {
		active, standby int // lengths of the first answer
		differs         int // byte of the standby's that does; negative: none does
		longest         time.Duration
	}{
		{100, 100, 3, prompt},
		{120, 100, 3, prompt},
		{100, 120, 3, prompt},
		{100_000, 50_000, 3, prompt},
		{50_000, 100_000, 49_999, prompt},
		{120, 100, 99, prompt},
		{120, 1, 0, prompt},
		{120, 100, -1, 8 * time.Second}, // it only lags
		{100, 120, -1, prompt},          // what is too much is noticed with the next answer, or never
	} {
		t.Run(fmt.Sprintf("%d, %d, %d", test.active, test.standby, test.differs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
					b := make([]byte, 5)
					answer := bytes.Repeat([]byte("a"), test.active)
					if machine == 1 {
						answer = bytes.Repeat([]byte("a"), test.standby)
						if test.differs >= 0 {
							answer[test.differs] = 'b'
						}
					}
					if _, err := io.ReadFull(c, b); err == nil {
						c.Write(answer)
						io.Copy(io.Discard, c)
					}
				})})
				c := s.dial()
				begin := time.Now()
				_, err := io.WriteString(c, "hello")
				s.must(err)
				s.must(hear(c, string(bytes.Repeat([]byte("a"), test.active))))
				d := time.Since(begin)
				if d > test.longest {
					t.Errorf("the answer took %v", d)
				}
				if test.longest > prompt && d < 4*time.Second {
					t.Errorf("a handler that only lags was given up after %v", d)
				}
				st := s.Active().Node().Status()
				if differs := test.differs >= 0; differs && st.Released != 1 {
					t.Errorf("%+v", st)
				} else if differs {
					s.unprotected(1, "something else")
				} else if test.longest > prompt {
					s.unprotected(1, "lags")
				}
				s.allowResets()
				c.Close()
			})
		})
	}
}

// A handler that lags with a prefix, and then goes on, costs a pause and nothing else.
func TestPrefixThatLags(t *testing.T) {
	play(t, &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
		b := make([]byte, 100)
		for {
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			c.Write(b[:50])
			if machine == 1 {
				time.Sleep(2 * time.Second)
			}
			c.Write(b[50:])
		}
	})}, func(s *scenario) {
		c := s.dial()
		for range 5 {
			s.must(ask(c, string(bytes.Repeat([]byte("x"), 100))))
		}
		if st := s.Active().Node().Status(); st.Protected != 1 || st.Released != 0 {
			t.Errorf("%+v", st)
		}
		s.Active().Kill()
		s.must(ask(c, string(bytes.Repeat([]byte("y"), 100))))
		s.must(c.Close())
	})
}
