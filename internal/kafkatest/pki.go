package kafkatest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// PKI is a certificate authority for one test. It is safe for concurrent use.
type PKI struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// NewPKI creates an authority. A cluster has its own, [Cluster.PKI]; a second one serves as one that is not trusted.
func NewPKI(tb testing.TB) *PKI {
	tb.Helper()
	p, err := newPKI()
	if err != nil {
		tb.Fatalf("kafkatest: make a certificate authority: %v", err)
	}
	return p
}

func newPKI() (*PKI, error) {
	t := template("esm test CA")
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &PKI{cert: cert, key: key, pem: encodePEM("CERTIFICATE", der)}, nil
}

// CA returns the authority's certificate as PEM.
func (p *PKI) CA() []byte { return append([]byte(nil), p.pem...) }

// Pool returns a pool that trusts only this authority.
func (p *PKI) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	return pool
}

// Issue returns a certificate and its PKCS#8 key as PEM, valid for a client and for a server on localhost. Kafka's
// principal for it is "User:CN=" followed by the name.
func (p *PKI) Issue(tb testing.TB, commonName string) (cert, key []byte) {
	tb.Helper()
	cert, key, err := p.issue(commonName, nil)
	if err != nil {
		tb.Fatalf("kafkatest: issue a certificate for %s: %v", commonName, err)
	}
	return cert, key
}

// IssueSubject is [PKI.Issue] for any subject, in DER.
func (p *PKI) IssueSubject(tb testing.TB, subject []byte) (cert, key []byte) {
	tb.Helper()
	cert, key, err := p.issue("", func(t *x509.Certificate) { t.RawSubject = subject })
	if err != nil {
		tb.Fatalf("kafkatest: issue a certificate: %v", err)
	}
	return cert, key
}

func (p *PKI) issue(commonName string, change func(*x509.Certificate)) (cert, key []byte, err error) {
	t := template(commonName)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	t.DNSNames = []string{"localhost"}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	if change != nil {
		change(t)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, p.cert, &private.PublicKey, p.key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", pkcs8), nil
}

func template(commonName string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetInt64(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
