package event

import (
	"math"
	"strconv"

	"pgregory.net/rapid"
)

// genText draws text, biased towards what JSON must escape; wild text may not be UTF-8.
func genText(wild bool) *rapid.Generator[string] {
	plainText := rapid.StringMatching(`[a-zA-Z0-9._-]{0,24}`)
	anyText := rapid.StringOfN(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("\"\\\n\t\x00\x1f\x7f\u2028<é\uFFFD😀"))), 0, 20, -1)
	if !wild {
		return rapid.OneOf(plainText, anyText)
	}
	bytes := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) })
	return rapid.OneOf(plainText, anyText, bytes)
}

// genBytes draws nil, empty and other bytes.
func genBytes(most int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "null") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 0, most).Draw(t, "bytes")
	})
}

func genInt64() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1, 2000),
		rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, 9, 10, 99, 100, 999999999999999999}))
}

func genSchema(text *rapid.Generator[string]) *rapid.Generator[*SchemaMetadata] {
	return rapid.Custom(func(t *rapid.T) *SchemaMetadata {
		if rapid.Bool().Draw(t, "no schema") {
			return nil
		}
		return &SchemaMetadata{DataFormat: text.Draw(t, "format"), SchemaID: text.Draw(t, "id")}
	})
}

func genRecord(wild bool) *rapid.Generator[KafkaRecord] {
	text := genText(wild)
	return rapid.Custom(func(t *rapid.T) KafkaRecord {
		r := KafkaRecord{
			Topic:               text.Draw(t, "topic"),
			Partition:           rapid.Int32().Draw(t, "partition"),
			TimestampType:       TimestampType(rapid.IntRange(0, 2).Draw(t, "type")),
			Offset:              genInt64().Draw(t, "offset"),
			Timestamp:           genInt64().Draw(t, "timestamp"),
			Key:                 genBytes(40).Draw(t, "key"),
			Value:               genBytes(200).Draw(t, "value"),
			KeySchemaMetadata:   genSchema(text).Draw(t, "key schema"),
			ValueSchemaMetadata: genSchema(text).Draw(t, "value schema"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			r.Headers = append(r.Headers, Header{Key: text.Draw(t, "name"), Value: genBytes(20).Draw(t, "header")})
		}
		return r
	})
}

// genEvent draws events of up to 20 partitions, which may be empty.
func genEvent(wild bool) *rapid.Generator[KafkaEvent] {
	text := genText(wild)
	return rapid.Custom(func(t *rapid.T) KafkaEvent {
		e := KafkaEvent{
			EventSource:      text.Draw(t, "source"),
			EventSourceARN:   text.Draw(t, "arn"),
			BootstrapServers: text.Draw(t, "servers"),
			Records:          map[string][]KafkaRecord{},
		}
		for i := range rapid.SampledFrom([]int{0, 1, 2, 3, 20}).Draw(t, "partitions") {
			// The number keeps keys distinct even if different wrong bytes become the same U+FFFD.
			key := text.Draw(t, "key") + "-" + strconv.Itoa(i)
			var records []KafkaRecord
			for range rapid.IntRange(0, 3).Draw(t, "records") {
				records = append(records, genRecord(wild).Draw(t, "record"))
			}
			e.Records[key] = records
		}
		return e
	})
}
