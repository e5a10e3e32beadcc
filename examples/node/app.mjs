// A Lambda function for self-managed Kafka, as it is deployed to Lambda.
const tried = new Set();

const ship = (order) => {
  if (order.id === 300) throw new Error("order 300 has no address");
  if (order.id % 50 === 0 && !tried.has(order.id)) {
    tried.add(order.id);
    throw new Error("the warehouse is busy");
  }
};

export const handler = async (event, context) => {
  const batchItemFailures = [];
  for (const [partition, records] of Object.entries(event.records)) {
    for (const { offset, value } of records) {
      try {
        ship(JSON.parse(Buffer.from(value, "base64").toString()));
      } catch (error) {
        console.log(`${partition} ${offset}: ${error.message}`);
        batchItemFailures.push({ itemIdentifier: { partition, offset } });
      }
    }
  }
  return { batchItemFailures };
};
