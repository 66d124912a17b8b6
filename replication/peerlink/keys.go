package peerlink

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// minSecret is the least length of a group's secret, in bytes.
const minSecret = 16

// Keys are all secrets of a group, derived from the one that the user configures, so that
// they are the same on every node. Groups of different names have different keys even if
// they share a secret.
type Keys struct {
	isn      [32]byte
	mac      [32]byte
	presence [32]byte
	digest   [32]byte

	link tls.Certificate
	pin  ed25519.PublicKey // of link; every node presents it and expects it
}

// DeriveKeys returns the keys of the group with that name, which may be empty, and that
// secret, which should be 32 random bytes and must not have fewer than 16.
func DeriveKeys(group string, secret []byte) (*Keys, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("peerlink: the secret has %d bytes and needs at least %d, "+
			"because whoever can reach the link can try to guess it offline; "+
			"use 32 random bytes, for example from: openssl rand -hex 32", len(secret), minSecret)
	}

	// HKDF, https://www.rfc-editor.org/rfc/rfc5869.html. The group's name is part of the
	// info and not the salt: HMAC pads a short key with zeros, so that "a" and "a\x00"
	// are the same salt.
	prk, err := hkdf.Extract(sha256.New, secret, nil)
	if err != nil {
		return nil, err
	}
	var seed [ed25519.SeedSize]byte
	k := new(Keys)
	for _, key := range []struct {
		label string
		out   *[32]byte
	}{
		{"ftcp link", &seed},
		{"ftcp isn", &k.isn},
		{"ftcp mac", &k.mac},
		{"ftcp presence", &k.presence},
		{"ftcp digest", &k.digest},
	} {
		b, err := hkdf.Expand(sha256.New, prk, key.label+"\x00"+group, len(key.out))
		if err != nil {
			return nil, err
		}
		copy(key.out[:], b)
	}

	private := ed25519.NewKeyFromSeed(seed[:])
	k.pin = private.Public().(ed25519.PublicKey)
	k.link, err = selfSigned(private)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// ISN is the key of initial sequence numbers (RFC 6528) and SYN cookies.
func (k *Keys) ISN() [32]byte { return k.isn }

// Presence is the key with which nodes authenticate what they say of themselves on the
// service network.
func (k *Keys) Presence() [32]byte { return k.presence }

// Digest is the key of the digests by which nodes compare what their handlers have
// produced. It is a secret so that a client, who chooses the data, cannot choose two with
// one digest.
func (k *Keys) Digest() [32]byte { return k.digest }

// MAC is the group's own Ethernet address for the service address addr. It is unicast and
// locally administered.
func (k *Keys) MAC(addr netip.Addr) wire.MAC {
	h := hmac.New(sha256.New, k.mac[:])
	h.Write(addr.Unmap().WithZone("").AsSlice())
	var m wire.MAC
	copy(m[:], h.Sum(nil))
	const group, local = 1, 2 // bits of the first byte
	m[0] = m[0]&^group | local
	return m
}

// selfSigned returns a certificate that does nothing but carry the public key of private:
// it is the key that the other side checks.
func selfSigned(private ed25519.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "ftcp"},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}

func (k *Keys) clientTLS() *tls.Config {
	c := k.commonTLS()
	c.InsecureSkipVerify = true // of names, dates and authorities; verify does what counts
	return c
}

func (k *Keys) serverTLS() *tls.Config {
	c := k.commonTLS()
	c.ClientAuth = tls.RequireAnyClientCert
	return c
}

func (k *Keys) commonTLS() *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     []tls.Certificate{k.link},
		VerifyConnection: k.verify,

		// Every link proves the key anew.
		SessionTicketsDisabled: true,

		// Small first records serve browsers that draw half a page.
		DynamicRecordSizingDisabled: true,
	}
}

// verify accepts the one key that the nodes of the group have. TLS itself checks that the
// peer has the private half.
func (k *Keys) verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errOtherSecret
	}
	key, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || subtle.ConstantTimeCompare(key, k.pin) != 1 {
		return errOtherSecret
	}
	return nil
}
