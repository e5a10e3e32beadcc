package kafkatest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Listener names one of a broker's listeners.
type Listener string

// The listeners. Only [Plaintext] is there without [Secure].
const (
	Plaintext     Listener = "PLAINTEXT"      // no TLS, no login: the user ANONYMOUS
	TLS           Listener = "TLS"            // the broker shows a certificate, the client need not
	MTLS          Listener = "MTLS"           // both show a certificate
	SASLSSL       Listener = "SASL_SSL"       // TLS, and PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	SASLPlaintext Listener = "SASL_PLAINTEXT" // the same mechanisms without TLS
	controller    Listener = "CONTROLLER"
)

// protocol is what Kafka calls the kind of listener.
func (l Listener) protocol() string {
	switch l {
	case TLS, MTLS:
		return "SSL"
	case controller:
		return "PLAINTEXT"
	default:
		return string(l)
	}
}

// listeners of one node, in the order in which they are written down.
func (c config) listeners(r release) []Listener {
	ls := []Listener{Plaintext}
	if !r.zookeeper {
		ls = append(ls, controller)
	}
	if c.secure {
		ls = append(ls, TLS, MTLS, SASLSSL, SASLPlaintext)
	}
	return ls
}

// freePorts returns n different ports that nothing listened on a moment ago.
// It prefers ports below the range from which systems give out the ports of
// outgoing connections: a broker that restarts must find its port free again.
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
		port := 0 // after too many tries: any that the system gives
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
