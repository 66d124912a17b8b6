package digest

import "math/rand/v2"

func testSecret(seed byte) *[32]byte {
	var secret [32]byte
	for i := range secret {
		secret[i] = seed + byte(i)
	}
	return &secret
}

func testKey(seed byte) *Key { return NewKey(testSecret(seed)) }

// testData is n bytes that are the same in every run and on every machine.
func testData(n int) []byte {
	r := rand.NewChaCha8([32]byte{})
	b := make([]byte, n)
	r.Read(b)
	return b
}
