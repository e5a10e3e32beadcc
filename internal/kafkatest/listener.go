package kafkatest

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
)

// Listener names one of a broker's listeners.
type Listener string

// The listeners. Without [Secure] there is only [Plaintext].
const (
	Plaintext     Listener = "PLAINTEXT"      // no TLS, no login: the user ANONYMOUS
	TLS           Listener = "TLS"            // the broker shows a certificate, the client need not
	MTLS          Listener = "MTLS"           // both show a certificate
	SASLSSL       Listener = "SASL_SSL"       // TLS, and PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	SASLPlaintext Listener = "SASL_PLAINTEXT" // the same mechanisms without TLS
	controller    Listener = "CONTROLLER"
)

// Door is a listener that [Open] adds, for what the others do not offer: only one version of TLS, or a broker with a
// bad certificate.
type Door struct {
	// Name is the listener's name, in capitals.
	Name Listener
	// Protocol is SSL or SASL_SSL; the latter knows the users of [User].
	Protocol string
	// Certificate changes the broker's certificate before the cluster's [PKI] signs it; nil means the certificate of the
	// other listeners. A [Pool] distinguishes doors with and without a Certificate, but not one function from another.
	Certificate func(*x509.Certificate)
	// Properties are set for this listener only, such as ssl.enabled.protocols.
	Properties map[string]string
	// Gated puts a [Gate] in front of the listener of each node, and makes the brokers advertise its address: see
	// [Cluster.Gate].
	Gated bool
}

func (d Door) keystore() string { return "broker-" + strings.ToLower(string(d.Name)) + ".pem" }

// protocol returns Kafka's name for the kind of listener.
func (c config) protocol(l Listener) string {
	for _, d := range c.doors {
		if d.Name == l {
			return d.Protocol
		}
	}
	switch l {
	case TLS, MTLS:
		return "SSL"
	case controller:
		return "PLAINTEXT"
	default:
		return string(l)
	}
}

// listeners returns the listeners of one node, in the order in which they are configured.
func (c config) listeners(r release) []Listener {
	ls := []Listener{Plaintext}
	if !r.zookeeper {
		ls = append(ls, controller)
	}
	if c.secure {
		ls = append(ls, TLS, MTLS, SASLSSL, SASLPlaintext)
	}
	for _, d := range c.doors {
		ls = append(ls, d.Name)
	}
	return ls
}

// freePorts returns n different ports on which nothing listened a moment ago. It prefers ports below the range that
// systems use for outgoing connections: a broker that restarts must find its port free again.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	held := make([]net.Listener, 0, n)
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	const from, to, tries = 15000, 32000, 50
	for try := 0; len(ports) < n; try++ {
		port := 0 // after too many tries: any port that the system chooses
		if try < tries*n {
			port = from + rand.IntN(to-from)
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil && port != 0 {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		held = append(held, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
