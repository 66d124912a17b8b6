// Package digest is a keyed digest of a byte stream, by which two nodes compare what
// their handlers have written.
//
//	k := digest.NewKey(&secret) // once, for all connections
//
//	var s digest.Sum   // one for each stream
//	s.Write(k, data)   // as it comes: how the stream is cut does not matter
//	d := s.Digest(k)   // of all bytes so far and their number
//	checkpoint := s    // a Sum is a plain value
//
// A checksum such as CRC-32C would not do. It is linear and has no key, so that a client
// that chooses what a handler echoes can construct different streams of the same
// checksum. A cryptographic hash would do, at a tenth of the speed.
//
// # Definition
//
// HKDF-Expand of SHA-256 expands the secret to 32 words w[0], w[1], ... w[31] of 64 bits
// and a number k of 128 bits, of which the low 126 are taken. All numbers are
// little-endian.
//
// The stream's n bytes are cut into blocks of 256 bytes, of which the last one may be
// shorter, and filled up with zeros to a multiple of 16. A block of the words
// m[0], m[1], ... m[2j-1] becomes the number
//
//	a = Σ (m[2i] + w[2i] mod 2^64) · (m[2i+1] + w[2i+1] mod 2^64)   mod 2^126
//
// and the digest of the t blocks a[1] ... a[t] is
//
//	a[1]·k^t + a[2]·k^(t-1) + ... + a[t]·k + n   mod 2^127-1
//
// as the one number less than 2^127-1. The digest of the empty stream is 0 under every
// key.
//
// The sum over pairs is NH, from Black, Halevi, Krawczyk, Krovetz and Rogaway, "UMAC:
// Fast and Secure Message Authentication", CRYPTO '99. Words of 64 bits and a polynomial
// modulo 2^127-1 on top of them are VHASH: Dai and Krovetz, "VHASH Security",
// https://eprint.iacr.org/2007/338. Three things differ from VHASH. The length is
// a coefficient, where it costs nothing. There is no last step that shortens the result
// to 64 bits. And k has 126 random bits, as many as the arithmetic allows. The argument
// below is complete without those papers.
//
// # How likely two streams collide
//
// Two different streams of at most 2^62 bytes that were chosen without knowledge of the
// key have the same digest with a probability of at most 2^-62 + 2^-72. The probability is
// over the key, if that is random; HKDF's output is as good, to anyone who cannot tell
// HMAC of SHA-256 from a random function.
//
// Streams of different lengths: the difference of their digests is a polynomial in k of
// degree t <= 2^54. Its constant coefficient is the difference of the lengths, which is
// not 0 modulo 2^127-1. So it is not the zero polynomial, whatever the blocks are, and at
// most t of the 2^126 values of k are roots: t·2^-126 <= 2^-72.
//
// Streams of the same length: some block differs. With a probability of at most 2^-62, as
// shown below, its numbers a are the same nevertheless, and nothing is said of that case.
// Otherwise they also differ modulo 2^127-1, since they are less than 2^126. So the
// difference of the digests is again not the zero polynomial, and at most t values of k
// are roots.
//
// Blocks of the same length: some pair of words differs. Let it be in its first word; the
// second one is alike. Take all of NH's key as given but the second word w of that pair.
// Let x and y be the first words plus their key, so x ≠ y, and m and m' the second words.
// The sums differ by a certain d modulo 2^128 only if
//
//	x·(m + w mod 2^64) - y·(m' + w mod 2^64) = d'   mod 2^128
//
// with a d' that does not depend on w. At most one w solves this. For if another one were
// larger by e modulo 2^64, 0 < e < 2^64, then each of the two brackets would be larger by
// e or smaller by 2^64-e.
//
//   - Both are larger: then x·e = y·e modulo 2^128. But these two are different, and both
//     are less than 2^128. The same goes for both smaller.
//   - One is larger: then x·e + y·(2^64-e) = 0 modulo 2^128, or the same with x and y
//     swapped. But this is more than 0, and at most 2^64 times the larger of x and y, so
//     less than 2^128.
//
// So each d has a probability of at most 2^-64. Sums that are the same modulo 2^126 have
// one of four d, so that is 2^-62.
//
// The digest has twice as many bits. A second NH of every block would bring the bound down
// to about that of the polynomial, at half the speed. But 2^-62 is enough for what a
// client can do with it:
//
// # What the client learns
//
// A client sees at most that two streams were found different. As long as that is the
// answer to every comparison, it knows beforehand what it will be told. So its choices
// might as well have been made before the first one, without knowledge of the key. After
// q comparisons of different streams, in all connections under the key, one of them was
// taken to be equal with a probability of at most q·(2^-62 + 2^-72). And every difference
// that is found costs a connection its protection, so q does not grow fast.
//
// The digest is the value of the polynomial, and nothing encrypts it, as a MAC would have
// to. Nothing need do so where no adversary sees it. But from the digest of a stream that
// one knows, one can find k, and with more of them collisions. So digests are for the two
// nodes alone: they travel inside TLS, and belong in no log, no metric and no error. The
// same is true of a Sum, and of either one in a core dump.
//
// How long a computation takes depends on lengths and not on bytes or the key. There is
// one exception: a digest of 0 takes another branch if the stream is not empty, and that
// is as unlikely as a collision.
//
// # Versions
//
// Nodes of different releases must agree on every bit. A change of the definition changes
// the label under which the secret is expanded (see key.go), and the test vectors.
package digest
