package ftcptest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

func TestPcap(t *testing.T) {
	var file bytes.Buffer
	n := &Network{
		Pcap:   &file,
		Faults: Faults{Delay: time.Second, Loss: 1}, // lost frames are recorded too
	}
	var start time.Time
	var sent [][]byte
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		start = time.Now()
		for i, text := range []string{"first", "the second"} {
			f := frame(mac(p[i]), wire.Broadcast, text)
			sent = append(sent, f)
			send(t, p[i], f)
			time.Sleep(1500*time.Millisecond + 7)
		}
		p[2].Unplug()
		send(t, p[2], frame(mac(p[2]), wire.Broadcast, "not recorded"))
		e[0].want(t)
	})

	var header struct {
		Magic            uint32
		Major, Minor     uint16
		Reserved         uint64
		SnapLen, Network uint32
	}
	if err := binary.Read(&file, binary.LittleEndian, &header); err != nil {
		t.Fatal(err)
	}
	if header.Magic != 0xa1b23c4d || header.Major != 2 || header.Minor != 4 || header.Network != 1 {
		t.Errorf("header is %+v", header)
	}
	for i, want := range sent {
		var record struct{ Sec, Nsec, Captured, Length uint32 }
		if err := binary.Read(&file, binary.LittleEndian, &record); err != nil {
			t.Fatal(err)
		}
		got := file.Next(int(record.Captured))
		if !bytes.Equal(got, want) || record.Length != uint32(len(want)) {
			t.Errorf("record %d: %q, length %d, want %q", i, got, record.Length, want)
		}
		at := time.Unix(int64(record.Sec), int64(record.Nsec))
		if want := start.Add(time.Duration(i) * (1500*time.Millisecond + 7)); !at.Equal(want) {
			t.Errorf("record %d is of %v, want %v", i, at, want)
		}
	}
	if file.Len() != 0 {
		t.Errorf("%d more bytes", file.Len())
	}
}

type failingWriter struct{ writes int }

func (w *failingWriter) Write([]byte) (int, error) {
	w.writes++
	if w.writes == 2 {
		return 0, errors.New("disk full")
	}
	return 0, nil
}

// A full disk ends the capture, not the network.
func TestPcapError(t *testing.T) {
	var w failingWriter
	bubble(t, &Network{Pcap: &w}, func(t *testing.T, p []*Port, e []*ear) {
		for _, text := range numbers(3) {
			send(t, p[0], frame(mac(p[0]), mac(p[1]), text))
		}
		e[1].want(t, "0", "1", "2")
	})
	if w.writes != 2 {
		t.Errorf("%d writes, want 2: the header and one that fails", w.writes)
	}
}
