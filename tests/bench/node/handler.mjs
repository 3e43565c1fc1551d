// booking-events-receive in Node: API key check and one conditional put, as an experienced hand would write it.
// Kinder to Node than to us: no rate limit, no validation beyond the key, no problem documents, and a runtime loop that
// does nothing but poll.
import { createHash, timingSafeEqual } from "node:crypto";
import http from "node:http";
import { crc32 } from "node:zlib";
import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";

const table = process.env.TABLE_NAME;
const client = new DynamoDBClient({});
const known = new Map();

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

function decode(text) {
  const bytes = [];
  let bits = 0, value = 0;
  for (const letter of text) {
    value = ((value << 5) | ALPHABET.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 0xff);
    }
  }
  return Buffer.from(bytes);
}

function encode(bytes) {
  let text = "", bits = 0, value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0x1fff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31];
    }
  }
  return bits ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

const sha256 = (text) => createHash("sha256").update(text);

async function machine(authorization) {
  const key = /^Bearer (cdk_.+)$/.exec(authorization ?? "")?.[1];
  if (!key) return;
  const bytes = decode(key.slice(4));
  if (crc32(bytes.subarray(0, 51)) !== bytes.readUInt32BE(51)) return;
  const tenant = `ten_${encode(bytes.subarray(0, 16))}`;
  const sk = `KEY#key_${encode(bytes.subarray(16, 32))}`;
  if (!known.has(sk)) {
    const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: { pk: { S: tenant }, sk: { S: sk } } }));
    if (Item) known.set(sk, Item);
  }
  const stored = known.get(sk);
  if (!stored || !timingSafeEqual(sha256(key).digest(), Buffer.from(stored.hash.S, "hex"))) return;
  return stored.scopes.L.some((scope) => scope.S === "booking_events") ? tenant : undefined;
}

async function handle(call) {
  const tenant = await machine(call.headers.authorization);
  if (!tenant) return { statusCode: 401, body: "{}" };
  const change = JSON.parse(call.body);
  const id = `evt_${encode(sha256(tenant + call.body).digest().subarray(0, 16))}`;
  let duplicate = false;
  try {
    await client.send(new PutItemCommand({
      TableName: table,
      Item: {
        pk: { S: `${tenant}#EVENT#${id}` }, sk: { S: "NODE" }, kind: { S: "yardstick" },
        tenant: { S: tenant }, id: { S: id }, accepted_at: { S: new Date().toISOString() },
        operation: { S: change.type }, table: { S: change.table }, record: { S: JSON.stringify(change.record) },
      },
      ConditionExpression: "attribute_not_exists(pk)",
    }));
  } catch (error) {
    if (error.name !== "ConditionalCheckFailedException") throw error;
    duplicate = true;
  }
  const body = JSON.stringify({ success: true, data: { event_id: id, duplicate } });
  return { statusCode: 202, headers: { "content-type": "application/json" }, body };
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function runtime(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body ? { "content-length": Buffer.byteLength(body) } : {};
    const request = http.request({ host, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}`, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ id: answer.headers["lambda-runtime-aws-request-id"], body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const { id, body } = await runtime("GET", "next");
  await runtime("POST", `${id}/response`, JSON.stringify(await handle(JSON.parse(body))));
}
