/** From a write over HTTP to the message at a web address, through the catalog's real state machines. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { createRequestId } from '../../gateway/exchange.ts'
import { clusterEvents } from '../../gateway/notification/cluster-events.ts'
import { EventDelivery } from '../../gateway/notification/event-delivery.ts'
import { WebhookTargets } from '../../gateway/notification/webhook.ts'
import { putObject } from './ask.ts'
import { type LocalGateway, region, startLocalGateway, systemClock } from './harness.ts'

const arn = 'arn:aws:sqs:eu-central-1:bpol:hook'

interface Heard {
  readonly eventName: string
  readonly userIdentity: { readonly principalId: string }
  readonly s3: {
    readonly object: { readonly key: string; readonly size?: number; readonly versionId?: string }
  }
}

let gateway: LocalGateway
let server: Server
let delivery: EventDelivery
const heard: Heard[] = []

before(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    heard.push(...JSON.parse(Buffer.concat(chunks).toString('utf8')).Records)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const targets = new WebhookTargets({ hook: { url } })
  gateway = await startLocalGateway({ eventTargets: targets })
  delivery = new EventDelivery({
    source: clusterEvents(gateway.federation.client, createRequestId),
    targets,
    region,
    clock: systemClock,
    isMyTurn: () => true,
    count: () => undefined,
    onWaiting: () => undefined,
    onError: (error) => {
      throw error
    },
  })
})
after(async () => {
  server.close()
  await gateway.close()
})

/** What was told since the last look, in the order of keys: groups are independent of each other. */
async function told(): Promise<string[]> {
  heard.length = 0
  await delivery.round()
  return heard.map(({ eventName, s3 }) => `${eventName} ${s3.object.key}`).sort()
}

async function listen(path: string, events: readonly string[]): Promise<void> {
  const rule = `<QueueConfiguration><Id>r</Id><Queue>${arn}</Queue>${events
    .map((event) => `<Event>${event}</Event>`)
    .join('')}</QueueConfiguration>`
  const body = `<NotificationConfiguration>${rule}</NotificationConfiguration>`
  const answer = await gateway.client().send({ method: 'PUT', path: `${path}?notification`, body })
  assert.equal(answer.status, 200, answer.text)
}

test('what happens to objects is told, once, under the name that AWS gives it', async () => {
  const s3 = gateway.client()
  await s3.send({ method: 'PUT', path: '/events' })
  await putObject(s3, '/events/before', 'nobody listens yet')
  await listen('/events', ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'])
  await putObject(s3, '/events/a', 'body')
  const headers = { 'x-amz-copy-source': '/events/a' }
  assert.equal((await s3.send({ method: 'PUT', path: '/events/b', headers })).status, 200)
  assert.equal((await s3.send({ path: '/events/a' })).status, 200)
  await s3.send({ method: 'DELETE', path: '/events/a' })
  await s3.send({ method: 'DELETE', path: '/events/never-was' })
  assert.deepEqual(await told(), ['ObjectCreated:Copy b', 'ObjectCreated:Put a', 'ObjectRemoved:Delete a'])
  const put = heard.find(({ eventName }) => eventName === 'ObjectCreated:Put')
  assert.equal(put?.s3.object.size, 4)
  assert.equal(put?.userIdentity.principalId, 'a11ce')
  assert.deepEqual(await told(), [], 'what was told is forgotten')
})

test('a write that was refused is no event, and a deletion in a versioned bucket is a marker', async () => {
  const s3 = gateway.client()
  await s3.send({ method: 'PUT', path: '/versioned' })
  const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  assert.equal((await s3.send({ method: 'PUT', path: '/versioned?versioning', body })).status, 200)
  await listen('/versioned', ['s3:ObjectCreated:Put', 's3:ObjectRemoved:*'])
  await putObject(s3, '/versioned/k', 'x')
  const refused = await s3.send({
    method: 'PUT',
    path: '/versioned/k',
    body: 'y',
    headers: { 'if-none-match': '*' },
  })
  assert.equal(refused.status, 412)
  await s3.send({ method: 'DELETE', path: '/versioned/k' })
  assert.deepEqual(await told(), ['ObjectCreated:Put k', 'ObjectRemoved:DeleteMarkerCreated k'])
  assert.ok(heard.every(({ s3: { object } }) => /^[0-9a-f]{32}$/.test(object.versionId ?? '')))
})
