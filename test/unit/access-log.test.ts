import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { AccessLog, type DeliverLog, type LogSource } from '../../gateway/access-log/access-log.ts'
import {
  type AccessRecord,
  accessOperation,
  formatAccessRecord,
} from '../../gateway/access-log/access-record.ts'
import { logKey } from '../../gateway/access-log/log-key.ts'
import { operations } from '../../gateway/operations/index.ts'
import type { Clock } from '../../node/world.ts'

const record: AccessRecord = {
  bucketOwnerId: 'bpol',
  bucket: 'akten',
  timeMs: Date.UTC(2026, 10, 27, 23, 5, 9),
  remoteIp: '127.0.0.1',
  requester: 'arn:aws:iam::bpol:root',
  requestId: 'R1',
  operation: 'REST.PUT.OBJECT',
  key: 'köln/a b.mp4',
  requestUri: 'PUT /akten/k%C3%B6ln/a%20b.mp4 HTTP/1.1',
  status: 200,
  errorCode: undefined,
  bytesSent: 0,
  objectBytes: 17,
  totalMs: 12.4,
  turnAroundMs: 11.6,
  referer: undefined,
  userAgent: 'dock/1 "x"',
  versionId: undefined,
  hostId: 'h1',
  auth: 'AuthHeader',
  cipher: undefined,
  hostHeader: 's3.localhost:9000',
  tlsVersion: undefined,
  aclRequired: false,
}

const source: LogSource = {
  bucket: 'akten',
  ownerId: 'bpol',
  region: 'eu-central-1',
  logging: { targetBucket: 'logs', targetPrefix: 'a/' },
}

/** Fields of a line as a reader splits them: quoted and bracketed ones are one. */
function fieldsOf(line: string): string[] {
  return line.match(/"[^"]*"|\[[^\]]*\]|\S+/g) ?? []
}

test('a record is the line that AWS documents', () => {
  assert.equal(
    formatAccessRecord(record),
    'bpol akten [27/Nov/2026:23:05:09 +0000] 127.0.0.1 arn:aws:iam::bpol:root R1 REST.PUT.OBJECT k%C3%B6ln/a%20b.mp4 ' +
      '"PUT /akten/k%C3%B6ln/a%20b.mp4 HTTP/1.1" 200 - - 17 12 12 "-" "dock/1 %22x%22" - h1 SigV4 - AuthHeader ' +
      's3.localhost:9000 - - -',
  )
})

test('whatever clients send, a line has 26 fields and ends once', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 })
  fc.assert(
    fc.property(
      fc.record({ key: text, requestUri: text, userAgent: text, referer: text, hostHeader: text }),
      (sent) => {
        const line = formatAccessRecord({ ...record, ...sent })
        assert.equal(fieldsOf(line).length, 26, line)
        assert.ok(!/[^\x20-\x7e]/.test(line), line)
      },
    ),
  )
})

test('every operation of the table has a name in the log', () => {
  const names = new Map(operations.map((row) => [row.name, accessOperation(row)]))
  for (const name of names.values()) assert.match(name, /^REST\.[A-Z]+\.[A-Z_-]+$/i)
  assert.equal(names.get('GetObject'), 'REST.GET.OBJECT')
  assert.equal(names.get('ListObjectsV2'), 'REST.GET.BUCKET')
  assert.equal(names.get('CopyObject'), 'REST.COPY.OBJECT')
  assert.equal(names.get('DeleteObjects'), 'REST.POST.MULTI_OBJECT_DELETE')
  assert.equal(names.get('CompleteMultipartUpload'), 'REST.POST.UPLOAD')
})

test('keys of log objects are simple, or partitioned by the day of delivery or of the events', () => {
  const at = { firstMs: Date.UTC(2026, 10, 27, 23), nowMs: Date.UTC(2026, 10, 28, 0, 1, 2), unique: 'U' }
  assert.equal(logKey(source, at), 'a/2026-11-28-00-01-02-U')
  const partitioned = (partitionedBy: 'EventTime' | 'DeliveryTime') =>
    logKey({ ...source, logging: { ...source.logging, keyFormat: { partitionedBy } } }, at)
  assert.equal(partitioned('DeliveryTime'), 'a/bpol/eu-central-1/akten/2026/11/28/2026-11-28-00-01-02-U')
  assert.equal(partitioned('EventTime'), 'a/bpol/eu-central-1/akten/2026/11/27/2026-11-27-00-00-00-U')
})

/** A clock whose timers run when the test says so. */
function manualClock() {
  const timers = new Set<() => void>()
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => Date.UTC(2026, 10, 27, 23, 6),
    after: (_delayMs, run) => {
      timers.add(run)
      return () => timers.delete(run)
    },
  }
  const fire = (): void => {
    for (const run of [...timers]) {
      timers.delete(run)
      run()
    }
  }
  return { clock, fire }
}

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function open(deliver: DeliverLog, folder = mkdtempSync(join(tmpdir(), 'access-log-'))) {
  folders.push(folder)
  const { clock, fire } = manualClock()
  const counts = { dropped: 0, delivered: 0, failed: 0 }
  const log = new AccessLog({
    folder,
    clock,
    rollMs: 5_000,
    deliver,
    onDropped: (lines) => {
      counts.dropped += lines
    },
    onDelivered: (objects) => {
      counts.delivered += objects
    },
    onFailed: () => {
      counts.failed += 1
    },
  })
  return { log, fire, folder, counts }
}

test('lines of one bucket become one object, and leave the spool when it was acknowledged', async () => {
  const objects: Parameters<DeliverLog>[0][] = []
  const { log, folder, counts } = open(async (object) => {
    objects.push(object)
    return true
  })
  await log.start()
  log.note(source, record)
  log.note(source, { ...record, requestId: 'R2' })
  log.note({ ...source, bucket: 'andere' }, record)
  await log.close()
  assert.equal(objects.length, 2)
  const [first] = objects.filter((object) => object.sourceBucket === 'akten')
  assert.equal(first?.targetBucket, 'logs')
  assert.equal(first?.lines.toString().split('\n').length, 3)
  assert.match(first?.lines.toString() ?? '', /R1.*\n.*R2/)
  assert.deepEqual(readdirSync(folder), [])
  assert.deepEqual(counts, { dropped: 0, delivered: 2, failed: 0 })
})

test('a refused delivery is kept and made by the next process; an impossible one is dropped and counted', async () => {
  const refused = open(() => Promise.reject(new Error('no leader')))
  refused.log.note(source, record)
  await refused.log.close()
  assert.equal(refused.counts.failed, 1)
  assert.equal(readdirSync(refused.folder).length, 1)

  const lines: string[] = []
  const next = open(async (object) => {
    lines.push(object.lines.toString())
    return true
  }, refused.folder)
  await next.log.start()
  await next.log.close()
  assert.deepEqual(lines, [`${formatAccessRecord(record)}\n`])
  assert.deepEqual(readdirSync(next.folder), [])

  const impossible = open(async () => false)
  impossible.log.note(source, record)
  await impossible.log.close()
  assert.equal(impossible.counts.dropped, 1)
  assert.deepEqual(readdirSync(impossible.folder), [])
})
