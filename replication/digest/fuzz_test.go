package digest

import "testing"

// The stream is cut at lengths that the fuzzer chooses, with a digest taken in between.
func FuzzCuts(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte("hello"), []byte{1, 0, 3})
	f.Add(testData(2*blockSize+20), []byte{15, 1, 255, 16, 241})
	k, ref := testKey(1), newReference(testSecret(1))
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		var s Sum
		rest := data
		for _, c := range cuts {
			n := min(int(c), len(rest))
			s.Write(k, rest[:n])
			rest = rest[n:]
			s.Digest(k)
		}
		s.Write(k, rest)
		if s != sumOf(k, data) {
			t.Errorf("the Sum is not that of one Write")
		}
		if got, want := s.Digest(k), ref.digest(data); got != want {
			t.Errorf("%x, want %x", got, want)
		}
	})
}
