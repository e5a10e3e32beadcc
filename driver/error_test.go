package driver_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/esm-go/esm/driver"
)

func TestTheTextOfACommitErrorIsBounded(t *testing.T) {
	refused := &driver.CommitError{Partitions: map[driver.TopicPartition]*driver.Error{}}
	for i := range int32(10_000) {
		tp := driver.TopicPartition{Topic: "t", Partition: i}
		refused.Partitions[tp] = &driver.Error{Kind: driver.KindStaleMember, TopicPartition: tp, Err: io.EOF}
	}
	text := refused.Error()
	if want := "commit refused; t-0: stale member on t-0: EOF; t-1: "; !strings.HasPrefix(text, want) {
		t.Errorf("%q does not begin with %q", text, want)
	}
	if want := "; t-4: stale member on t-4: EOF; and 9995 partitions more"; !strings.HasSuffix(text, want) {
		t.Errorf("%q does not end with %q", text, want)
	}
	if !errors.Is(refused, io.EOF) {
		t.Error("the partitions' errors are not unwrapped")
	}
}
