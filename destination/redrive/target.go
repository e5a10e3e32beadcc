package redrive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// Target processes the records that are brought back. An error means that they failed again. An *UnavailableError means
// that the target could not process them and the run must stop: the records do not count as failed. An *ItemsError
// means that only some failed. After a batch fails as a whole, Run tries its halves.
type Target interface {
	Redrive(ctx context.Context, e event.KafkaEvent) error
}

// UnavailableError says that a target is unavailable.
type UnavailableError struct{ Err error }

// Error states the reason.
func (e *UnavailableError) Error() string { return "the target is unavailable: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *UnavailableError) Unwrap() error { return e.Err }

// ItemsError names the records of an event that failed; the others succeeded.
type ItemsError struct{ Items []event.ItemID }

// Error says how many records failed.
func (e *ItemsError) Error() string { return fmt.Sprintf("%d records failed", len(e.Items)) }

// Topic writes records to a Kafka topic.
type Topic struct {
	producer driver.Producer
	topic    string
	keep     bool
}

// ToTopic returns a target that writes through a producer, which the caller still owns. Records go to the topic, or, if
// topic is empty, back to the topic and partition that they came from. They keep their keys and headers; the header
// destination.AttributeRedrives is increased by one. Their timestamps are new unless keep is set, because a topic's
// retention and a mapping's MaximumRecordAgeInSeconds go by the timestamp.
func ToTopic(producer driver.Producer, topic string, keep bool) *Topic {
	return &Topic{producer: producer, topic: topic, keep: keep}
}

// Redrive writes the records, in order, and returns when all are acknowledged.
func (t *Topic) Redrive(ctx context.Context, e event.KafkaEvent) error { return t.write(ctx, e, nil) }

// write implements Redrive. items say how often their failures have been brought back so far, which may be more than
// their records say.
func (t *Topic) write(ctx context.Context, e event.KafkaEvent, items []*Item) error {
	before := make(map[event.ItemID]int)
	for _, i := range items {
		for k := range i.Records {
			id := i.Records[k].ItemID()
			before[id] = max(before[id], i.Redrives)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var reason error
	for _, records := range e.Records {
		for _, r := range records {
			out := driver.OutRecord{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: -1,
				Headers: countedHeaders(r, max(before[r.ItemID()], destination.Redrives(&r))+1)}
			if t.topic != "" && t.topic != r.Topic {
				out.Topic, out.Partition = t.topic, -1
			}
			if t.keep {
				out.Timestamp = r.Timestamp
			}
			wg.Add(1)
			t.producer.Produce(ctx, out, func(err error) {
				defer wg.Done()
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					reason = err
				}
			})
		}
	}
	wg.Wait()
	if reason != nil {
		return &UnavailableError{reason}
	}
	return nil
}

// countedHeaders returns a record's headers with the header AttributeRedrives set to redrives.
func countedHeaders(r event.KafkaRecord, redrives int) []event.Header {
	own := func(h event.Header) bool { return h.Key == destination.AttributeRedrives }
	return append(slices.DeleteFunc(slices.Clone(r.Headers), own), event.Header{Key: destination.AttributeRedrives, Value: strconv.AppendInt(nil, int64(redrives), 10)})
}

// URL posts events.
type URL struct {
	url    string
	client *http.Client
	wait   time.Duration
}

// ToURL returns a target that posts each event as Lambda's JSON. A 2xx answer is a success, unless it has the header
// X-Amz-Function-Error or is the JSON of a function error (errorMessage and errorType), as Lambda's runtime interface
// emulator answers. Its batchItemFailures name the records that failed. Requests answered with 429 or 5xx, or not
// answered, are retried for a minute; then the run stops. A nil client is http.DefaultClient.
func ToURL(url string, client *http.Client) *URL {
	if client == nil {
		client = http.DefaultClient
	}
	return &URL{url: url, client: client, wait: time.Minute}
}

// Redrive posts the event.
func (u *URL) Redrive(ctx context.Context, e event.KafkaEvent) error {
	body := e.AppendJSON(nil)
	return patiently(ctx, u.wait, func() (again bool, err error) { return u.post(ctx, body) })
}

// maxAnswer is Lambda's limit for a response.
const maxAnswer = 6 << 20

func (u *URL) post(ctx context.Context, body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url, bytes.NewReader(body))
	if err != nil {
		return false, &UnavailableError{err}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := u.client.Do(request)
	if err != nil {
		return true, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch code := response.StatusCode; {
	case err != nil:
		return true, err
	case code == http.StatusTooManyRequests || code >= 500:
		return true, fmt.Errorf("%s answered %s", u.url, response.Status)
	case code == http.StatusNotFound || code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusMethodNotAllowed:
		return false, &UnavailableError{fmt.Errorf("%s answered %s", u.url, response.Status)}
	case code >= 300:
		return false, fmt.Errorf("%s answered %s", u.url, response.Status)
	case response.Header.Get("X-Amz-Function-Error") != "":
		return false, fmt.Errorf("the function failed: %s", response.Header.Get("X-Amz-Function-Error"))
	}
	return false, readAnswer(answer)
}

// readAnswer interprets a function's answer.
func readAnswer(answer []byte) error {
	var a struct {
		ErrorMessage *string `json:"errorMessage"`
		ErrorType    *string `json:"errorType"`
		Failures     []struct {
			Item event.ItemID `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil //nolint:nilerr // a text, or nothing, is as good an answer
	}
	if a.ErrorMessage != nil && a.ErrorType != nil {
		return errors.New("the function failed: " + *a.ErrorType)
	}
	if len(a.Failures) == 0 {
		return nil
	}
	e := &ItemsError{}
	for _, f := range a.Failures {
		e.Items = append(e.Items, f.Item)
	}
	return e
}
