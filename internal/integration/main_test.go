package integration

import (
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/kafkatest"
)

var brokers kafkatest.Pool

// TestMain runs the tests or, in a process that a test started, one consumer.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(consume(os.Getenv(childEnv)))
	}
	goleak.VerifyTestMain(brokers.Main(m),
		goleak.IgnoreAnyFunction("github.com/esm-go/esm/internal/integration.blockForEver"),
		// A fatal error leaves these of librdkafka, which then cannot be closed: the *StuckError of Run says
		// so.
		goleak.IgnoreAnyFunction("github.com/esm-go/esm/driver/confluent.(*logPump).start.func1"),
		goleak.IgnoreAnyFunction("github.com/confluentinc/confluent-kafka-go/v2/kafka.(*handle).pollLogEvents"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read.func1"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).write"))
}

// drivers are the drivers of this build by name; see drivers_cgo_test.go.
var drivers = map[string]driver.Driver{"franz": franz.Driver()}

// onFake runs a test once for each driver, each on its own in-process Kafka.
func onFake(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	t.Parallel()
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := kafkatest.Fake(t)
			fake.Kfake.ControlKey(int16(kmsg.JoinGroup), patientSession)
			test(t, &env{Client: fake.Client, fake: fake, driver: d, group: "orders"})
		})
	}
}

// patientSession makes the broker wait longer for a silent member than the member asks for. The short session
// is there for its frequent heartbeats; a busy machine must not cost it the membership.
func patientSession(req kmsg.Request) (kmsg.Response, error, bool) {
	req.(*kmsg.JoinGroupRequest).SessionTimeoutMillis = int32(patience.Milliseconds())
	return nil, nil, false
}
