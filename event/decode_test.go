package event

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeTolerates(t *testing.T) {
	plain := KafkaRecord{Topic: "t", Partition: 3, Offset: 5, Timestamp: 7, Key: []byte("k"), Value: []byte("v")}
	with := func(change func(*KafkaRecord)) KafkaRecord {
		r := plain
		change(&r)
		return r
	}
	const rest = `"topic":"t","offset":5,"timestamp":7,"timestampType":"CREATE_TIME","key":"aw==","value":"dg=="`
	tests := []struct {
		name, json string
		want       KafkaRecord
	}{
		{"headers missing", `{"partition":3,` + rest + `}`, plain},
		{"headers null", `{"partition":3,"headers":null,` + rest + `}`, plain},
		{"headers empty", `{"partition":3,"headers":[],` + rest + `}`, plain},
		{"partition as text", `{"partition":"3",` + rest + `}`, plain},
		{"white space", "\n{ \"partition\" :\t3 , \r\n" + rest + " } ", plain},
		{"unknown fields", `{"x":{"a":[1,-2.5e+3,true,false,null,{}],"b":"\u00e9\""},"y":[],"partition":3,` + rest + `}`, plain},
		{"another case", `{"Topic":"no","PARTITION":9,"partition":3,` + rest + `}`, plain},
		{"escaped name", `{"parti\u0074ion":3,` + rest + `}`, plain},
		{"last one wins", `{"partition":1,"partition":3,` + rest + `}`, plain},
		{"key null", `{"partition":3,` + rest + `,"key":null}`, with(func(r *KafkaRecord) { r.Key = nil })},
		{"value null", `{"partition":3,` + rest + `,"value":null}`, with(func(r *KafkaRecord) { r.Value = nil })},
		{"value empty", `{"partition":3,` + rest + `,"value":""}`, with(func(r *KafkaRecord) { r.Value = []byte{} })},
		{"escaped base64", `{"partition":3,` + rest + `,"value":"\/\/\u002b\/"}`,
			with(func(r *KafkaRecord) { r.Value = []byte{0xff, 0xff, 0xbf} })},
		{"base64 with stray last bits, as in the documented sample", `{"partition":3,` + rest + `,"key":"abcDEFghiJKLmnoPQRstuVWXyz1234=="}`,
			with(func(r *KafkaRecord) {
				r.Key = []byte("\x69\xb7\x03\x10\x58\x21\x88\x92\x8b\x9a\x7a\x0f\x41\x1b\x2d\xb9\x55\x97\xcb\x3d\x76\xdf")
			})},
		{"header bytes of either sign", `{"partition":3,"headers":[{"a":[-128,-1,0,127,128,255]},{"a":null},{"b":[]}],` + rest + `}`,
			with(func(r *KafkaRecord) {
				r.Headers = []Header{{"a", []byte{128, 255, 0, 127, 128, 255}}, {"a", nil}, {"b", []byte{}}}
			})},
		{"headers in one object", `{"partition":3,"headers":[{"a":[1],"b":[2]},{}],` + rest + `}`,
			with(func(r *KafkaRecord) { r.Headers = []Header{{"a", []byte{1}}, {"b", []byte{2}}} })},
		{"schema", `{"partition":3,"keySchemaMetadata":null,"valueSchemaMetadata":{"dataFormat":"JSON","schemaId":"1","x":1},` + rest + `}`,
			with(func(r *KafkaRecord) { r.ValueSchemaMetadata = &SchemaMetadata{DataFormat: "JSON", SchemaID: "1"} })},
		{"nothing", `{}`, KafkaRecord{Timestamp: -1, TimestampType: NoTimestampType}},
		{"no timestamp", `{"timestamp":null,"timestampType":null}`, KafkaRecord{Timestamp: -1, TimestampType: NoTimestampType}},
		{"timestamp alone", `{"timestamp":1}`, KafkaRecord{Timestamp: 1}},
		{"text", `{"topic":"a\ud83d\ude00\ud83d\u0041\ude00\ud83d\"\b\f\n\r\t\/\\` + "\xff" + `"}`,
			KafkaRecord{Topic: "a😀\uFFFDA\uFFFD\uFFFD\"\b\f\n\r\t/\\\uFFFD", Timestamp: -1, TimestampType: NoTimestampType}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got KafkaRecord
			if err := got.UnmarshalJSON([]byte(test.json)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	event := func(record string) string { return `{"records":{"a-0":[{},` + record + `]}}` }
	const path = `records["a-0"][1]`
	tests := []struct {
		json, field string
		offset      int
		reason      string
	}{
		{``, "", 0, "ends here"},
		{`[]`, "", 0, "want an object"},
		{`{} x`, "", 3, "want the end"},
		{`{"eventSource":1}`, "eventSource", 15, "want a string"},
		{`{"eventSource":"a`, "eventSource", 17, "ends here"},
		{"{\"eventSource\":\"a\nb\"}", "eventSource", 17, `found '\n'`},
		{`{"eventSource":"\x"}`, "eventSource", 17, "after a backslash"},
		{`{"eventSource":"\u12g4"}`, "eventSource", 17, "hexadecimal"},
		{`{"eventSource" 1}`, "", 15, "a colon"},
		{`{"eventSource":"a";}`, "", 18, "a comma or }"},
		{`{eventSource:"a"}`, "", 1, "a name in quotes"},
		{`{"records":[]}`, "records", 11, "an object"},
		{`{"records":{"a-0":{}}}`, `records["a-0"]`, 18, "an array"},
		{event(`7`), path, 22, "an object"},
		{event(`{"partition":"x"}`), path + ".partition", 35, "whole number"},
		{event(`{"partition":2147483648}`), path + ".partition", 35, "2147483648 is not a whole number of 32 bits"},
		{event(`{"partition":null}`), path + ".partition", 35, "whole number"},
		{event(`{"offset":1.5}`), path + ".offset", 32, "1.5 is not a whole number"},
		{event(`{"offset":"1}`), path + ".offset", 32, "whole number"},
		{event(`{"timestamp":01}`), path, 36, "a comma or }"},
		{event(`{"timestampType":"SOMETIME"}`), path + ".timestampType", 39, `"SOMETIME" is none of`},
		{event(`{"value":"a"}`), path + ".value", 31, "base64"},
		{event(`{"value":"__8="}`), path + ".value", 31, "base64"},
		{event(`{"value":1}`), path + ".value", 31, "want a string"},
		{event(`{"headers":{}}`), path + ".headers", 33, "an array"},
		{event(`{"headers":[1]}`), path + ".headers[0]", 34, "an object"},
		{event(`{"headers":[{"h":[256]}]}`), path + `.headers[0]["h"][0]`, 40, "header byte 256 is not in -128 … 255"},
		{event(`{"headers":[{"h":[1,-129]}]}`), path + `.headers[0]["h"][1]`, 42, "header byte -129"},
		{event(`{"headers":[{"h":"AA=="}]}`), path + `.headers[0]["h"]`, 39, "an array"},
		{event(`{"keySchemaMetadata":{"schemaId":1}}`), path + ".keySchemaMetadata.schemaId", 55, "want a string"},
		{event(`{"x":[1,tru]}`), path + ".x", 30, "want a value"},
		{event(`{"x":-}`), path + ".x", 27, "want a value"},
		{`{"x":` + strings.Repeat("[", 20000), "x", 5 + maxDepth + 1, "nested too deep"},
	}
	for _, test := range tests {
		before := KafkaEvent{EventSource: "before"}
		got := before
		err := got.UnmarshalJSON([]byte(test.json))
		var wrong *DecodeError
		if !errors.As(err, &wrong) {
			t.Errorf("%.60s: error %v, want a *DecodeError", test.json, err)
			continue
		}
		if wrong.Field != test.field || wrong.Offset != test.offset || !strings.Contains(wrong.Reason, test.reason) {
			t.Errorf("%.60s: got %v\nwant byte %d: %s: … %s", test.json, err, test.offset, test.field, test.reason)
		}
		if !strings.HasPrefix(err.Error(), "event: byte ") || !strings.Contains(err.Error(), wrong.Field) {
			t.Errorf("%.60s: text %q", test.json, err)
		}
		if !reflect.DeepEqual(got, before) {
			t.Errorf("%.60s: the event was changed", test.json)
		}
	}
}

func TestDecodeNull(t *testing.T) {
	event := KafkaEvent{EventSource: "before"}
	if err := event.UnmarshalJSON([]byte(" null ")); err != nil || event.EventSource != "before" {
		t.Errorf("null gave %v and %+v", err, event)
	}
	record := KafkaRecord{Topic: "before"}
	if err := record.UnmarshalJSON([]byte("null")); err != nil || record.Topic != "before" {
		t.Errorf("null gave %v and %+v", err, record)
	}
	if err := event.UnmarshalJSON([]byte(`{"records":null}`)); err != nil || event.Records != nil {
		t.Errorf("records null gave %v and %+v", err, event)
	}
}

func TestDecodeKeepsNoInput(t *testing.T) {
	input := []byte(`{"eventSource":"source","records":{"t-0":[{"topic":"topic","value":"dg==","headers":[{"name":[1]}]}]}}`)
	var event KafkaEvent
	if err := event.UnmarshalJSON(input); err != nil {
		t.Fatal(err)
	}
	before := string(event.AppendJSON(nil))
	clear(input)
	if after := string(event.AppendJSON(nil)); after != before {
		t.Errorf("the event changed with its input:\n%s\n%s", before, after)
	}
}
