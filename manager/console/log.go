package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/esm-go/esm/observe/diag"
	"github.com/esm-go/esm/observe/pollerlog"
)

// eventLines formats the lines of a mapping's log for the page.
func eventLines(events []diag.Event) string {
	var b strings.Builder
	for _, e := range events {
		writeLine(&b, e.Time, e.Level, strings.TrimSpace(e.What+" "+e.Attributes))
	}
	return b.String()
}

// pollerEvent is what the page shows of a poller log event.
type pollerEvent struct {
	EventType  string                     `json:"eventType"`
	Timestamp  int64                      `json:"timestamp"`
	Processor  string                     `json:"eventProcessorId"`
	LogLevel   string                     `json:"logLevel"`
	Error      *pollerlog.ProcessingError `json:"error"`
	Connection *pollerlog.Connection      `json:"kafkaEventSourceConnection"`
}

// pollerLines formats the events of a mapping's poller log for the page.
func pollerLines(events [][]byte) string {
	var b strings.Builder
	for _, line := range events {
		var e pollerEvent
		if err := json.Unmarshal(line, &e); err != nil {
			continue // the manager has parsed it already
		}
		_, poller, _ := strings.Cut(e.Processor, "/")
		text := e.EventType + " poller " + poller
		if e.Error != nil {
			text += ": " + e.Error.ErrorMessage + " (" + e.Error.ErrorCode + ")"
		}
		if c := e.Connection; c != nil {
			text += ": " + connectionText(c)
		}
		writeLine(&b, time.UnixMilli(e.Timestamp), e.LogLevel, text)
	}
	return b.String()
}

func connectionText(c *pollerlog.Connection) string {
	security := strings.TrimSpace(c.SecurityProtocol + " " + c.SASLMechanism)
	if security != "" {
		security = " by " + security
	}
	const most = 20
	names := strings.Join(c.AssignedPartitions[:min(len(c.AssignedPartitions), most)], ", ")
	if len(c.AssignedPartitions) > most {
		names += ", …"
	}
	if names != "" {
		names = ": " + names
	}
	return fmt.Sprintf("%s in group %s at %s%s, generation %d, has %d of %d partitions%s", c.ConsumerID, c.ConsumerGroupId, c.BrokerEndpoints, security,
		c.PartitionsAssignmentGeneration, c.AssignedPartitionCount, c.TotalPartitionCount, names)
}

func writeLine(b *strings.Builder, at time.Time, level, text string) {
	fmt.Fprintf(b, "%s %-5s %s\n", stamp(at), level, shorten(text))
}
