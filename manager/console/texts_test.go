package console

import (
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/observe"
)

func TestTexts(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for want, got := range map[string]string{
		"–":         credentialsText(&observe.CredentialsStatus{}),
		"PLAINTEXT": credentialsText(&observe.CredentialsStatus{Protocol: "PLAINTEXT"}),
		"SASL_SSL SCRAM-SHA-512 as User:alice; certificates hold 3 days more; rotated 2 times, last 2026-11-01 12:00:00 UTC; newer ones are not used: no": credentialsText(&observe.CredentialsStatus{
			Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-512", Principal: "User:alice", Expires: at, DaysLeft: 3, Rotations: 2, Since: at, Err: errors.New("no")}),
		"none": destinationText(&observe.DestinationStatus{}),
		"kafka://failed: 1,234 failures delivered": destinationText(&observe.DestinationStatus{Name: "kafka://failed", SenderStatus: destination.SenderStatus{Delivered: 1234}}),
		"kafka://failed: 0 failures delivered, 3 under way; 2 refused since 2026-11-01 12:00:00 UTC: denied": destinationText(&observe.DestinationStatus{Name: "kafka://failed",
			SenderStatus: destination.SenderStatus{Pending: 3, Failing: 2, Since: at, LastError: errors.New("denied")}}),
	} {
		if got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
