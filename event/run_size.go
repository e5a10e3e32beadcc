package event

// RunSize measures a run of records of one partition, in offset order: total is what they take in an event beside what
// PartitionSize says, which is Size + 1 for each, largest the most that one of them takes. It is the one to use for many
// records: what neighbours have in common is found once.
func RunSize(records []KafkaRecord) (total, largest int) {
	if len(records) == 0 {
		return 0, 0
	}
	first, last := &records[0], &records[len(records)-1]
	offsetLen := longIntLen(first.Offset)
	if longIntLen(last.Offset) != offsetLen {
		return runSizeSlow(records)
	}
	fixed := HeadSize(first.Topic, first.Partition) + offsetLen + 1 +
		len(openTimestamp+openType+`CREATE_TIME"`+openHeaders+`]}`)
	for i := range records {
		r := &records[i]
		if r.TimestampType != CreateTime || r.Headers != nil || r.KeySchemaMetadata != nil || r.ValueSchemaMetadata != nil {
			return runSizeSlow(records)
		}
		n := fixed + millisLen(r.Timestamp)
		if r.Key != nil {
			n += len(openKey) + base64Len(len(r.Key)) + len(`"`)
		}
		if r.Value != nil {
			n += len(openValue) + base64Len(len(r.Value)) + len(`"`)
		}
		total += n
		largest = max(largest, n)
	}
	return total, largest
}

// runSizeSlow is RunSize where the records differ in more than their bytes.
func runSizeSlow(records []KafkaRecord) (total, largest int) {
	head := HeadSize(records[0].Topic, records[0].Partition) + 1
	for i := range records {
		n := head + TailSize(&records[i])
		total += n
		largest = max(largest, n)
	}
	return total, largest
}
