import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { EventDelivery, type EventSource } from '../../gateway/notification/event-delivery.ts'
import { eventMessage } from '../../gateway/notification/event-message.ts'
import { WebhookTargets } from '../../gateway/notification/webhook.ts'
import type { StoredEvent } from '../../node/core/catalog-types.ts'
import type { Clock } from '../../node/world.ts'

const arn = (name: string) => `arn:aws:sqs:eu-central-1::${name}`

function event(eventId: string, ...names: string[]): StoredEvent {
  return {
    eventId,
    bucketId: 'b1',
    ownerId: 'bpol',
    key: 'akten/köln a.mp4',
    name: 'ObjectCreated:Put',
    targets: names.map((name) => ({ ruleId: `rule-${name}`, target: arn(name) })),
    versionId: 'v1',
    bytes: 17,
    etag: 'e',
    timeMs: Date.UTC(2026, 10, 27),
    notice: { bucketName: 'akten', principalId: 'dock-1', sourceIp: '127.0.0.1', requestId: 'R1' },
  }
}

const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

/** A real target: answers with `status()` and keeps what it accepted. */
async function listen(status: () => number) {
  const heard: { key: string; authorization: string | undefined }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { Records } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    const code = status()
    if (code < 300)
      heard.push({ key: Records[0].s3.object.sequencer, authorization: request.headers.authorization })
    response.writeHead(code).end()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, heard }
}

/** Events of one group in memory, as the catalog keeps them. */
class Kept implements EventSource {
  events: StoredEvent[]
  constructor(events: StoredEvent[]) {
    this.events = events
  }
  groups() {
    return ['catalog-1']
  }
  async list(_groupId: string, { after, limit }: { after: string; limit: number }) {
    return this.events.filter((each) => each.eventId > after).slice(0, limit)
  }
  async forget(_groupId: string, eventIds: readonly string[]) {
    this.events = this.events.filter((each) => !eventIds.includes(each.eventId))
  }
}

function deliver(source: Kept, urls: Record<string, string>) {
  let nowMs = 0
  const clock: Clock = { monotonicMs: () => nowMs, wallMs: () => nowMs, after: () => () => undefined }
  const counts = { delivered: 0, failed: 0, orphaned: 0 }
  const delivery = new EventDelivery({
    source,
    targets: new WebhookTargets(
      Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, { url }])),
    ),
    region: 'eu-central-1',
    clock,
    isMyTurn: () => true,
    count: (outcome) => {
      counts[outcome] += 1
    },
    onWaiting: () => undefined,
    onError: (error) => {
      throw error
    },
  })
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { delivery, counts, pass }
}

test('the message is the one that AWS documents', () => {
  assert.deepEqual(JSON.parse(eventMessage(event('0a', 'x'), 'rule-x', 'eu-central-1')), {
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        awsRegion: 'eu-central-1',
        eventTime: '2026-11-27T00:00:00.000Z',
        eventName: 'ObjectCreated:Put',
        userIdentity: { principalId: 'dock-1' },
        requestParameters: { sourceIPAddress: '127.0.0.1' },
        responseElements: { 'x-amz-request-id': 'R1' },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'rule-x',
          bucket: { name: 'akten', ownerIdentity: { principalId: 'bpol' }, arn: 'arn:aws:s3:::akten' },
          object: { key: 'akten/k%C3%B6ln+a.mp4', size: 17, eTag: 'e', versionId: 'v1', sequencer: '0A' },
        },
      },
    ],
  })
})

test('events are told in order, and forgotten when every target has answered', async () => {
  const one = await listen(() => 200)
  const two = await listen(() => 204)
  const source = new Kept([event('01', 'one', 'two'), event('02', 'one')])
  const { delivery, counts } = deliver(source, { one: one.url, two: two.url })
  await delivery.round()
  assert.deepEqual(
    one.heard.map(({ key }) => key),
    ['01', '02'],
  )
  assert.deepEqual(
    two.heard.map(({ key }) => key),
    ['01'],
  )
  assert.deepEqual(source.events, [])
  assert.deepEqual(counts, { delivered: 3, failed: 0, orphaned: 0 })
})

test('a target that is down holds up its own events only, and hears of them when it is back', async () => {
  let status = 503
  const down = await listen(() => status)
  const up = await listen(() => 200)
  const source = new Kept([event('01', 'down', 'up'), event('02', 'down'), event('03', 'up')])
  const { delivery, counts, pass } = deliver(source, { down: down.url, up: up.url })
  await delivery.round()
  assert.deepEqual(
    up.heard.map(({ key }) => key),
    ['01', '03'],
  )
  assert.deepEqual(
    source.events.map(({ eventId }) => eventId),
    ['01', '02'],
  )
  assert.equal(counts.failed, 1, 'the second event does not knock at a door that was just closed')
  status = 200
  await delivery.round()
  assert.deepEqual(down.heard, [], 'it is left alone for a while')
  pass(1_000)
  await delivery.round()
  assert.deepEqual(
    down.heard.map(({ key }) => key),
    ['01', '02'],
  )
  assert.deepEqual(
    up.heard.map(({ key }) => key),
    ['01', '03'],
    'who has heard is not told again',
  )
  assert.deepEqual(source.events, [])
})

test('events for a target that is configured no more go, and only names of the configuration are targets', async () => {
  const source = new Kept([event('01', 'gone')])
  const { delivery, counts } = deliver(source, {})
  await delivery.round()
  assert.deepEqual(source.events, [])
  assert.equal(counts.orphaned, 1)
  const targets = new WebhookTargets({ hook: { url: 'http://127.0.0.1:1/' } })
  assert.ok(targets.has('arn:aws:sns:eu-central-1:bpol:hook'))
  assert.ok(targets.has('arn:aws:lambda:eu-central-1:bpol:function:hook'))
  for (const other of ['hook', 'arn:aws:sqs:::other', 'arn:aws:s3:::hook', 'http://127.0.0.1/hook']) {
    assert.ok(!targets.has(other), other)
  }
})
