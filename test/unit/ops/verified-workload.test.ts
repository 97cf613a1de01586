import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../../workload/until.ts'
import { VerifiedWorkload, type WorkloadReport } from '../../workload/verified-workload.ts'

/** A store of one process that can be told to misbehave on every `everyth` request of a kind. */
interface Faults {
  /** Acknowledge a PUT and keep nothing. */
  readonly losePut?: number
  /** Answer a GET with one wrong byte. */
  readonly corruptGet?: number
  /** Answer a GET with what was there before the last PUT. */
  readonly staleGet?: number
  /** Keep a PUT and cut the connection. */
  readonly cutPut?: number
}

async function startStore(t: TestContext, faults: Faults): Promise<string> {
  const objects = new Map<string, Buffer[]>()
  const counts = new Map<keyof Faults, number>()
  const strikes = (fault: keyof Faults): boolean => {
    const count = (counts.get(fault) ?? 0) + 1
    counts.set(fault, count)
    return count % (faults[fault] ?? Number.POSITIVE_INFINITY) === 0
  }
  const put = (key: string, body: Buffer, response: ServerResponse): void => {
    if (!strikes('losePut')) objects.set(key, [...(objects.get(key) ?? []), body])
    if (strikes('cutPut')) response.destroy()
    else response.end()
  }
  const get = (key: string, response: ServerResponse): void => {
    const versions = objects.get(key) ?? []
    const found = versions.at(versions.length > 1 && strikes('staleGet') ? -2 : -1)
    if (found === undefined) {
      response.statusCode = 404
      response.end()
      return
    }
    const body = Buffer.from(found)
    if (body.length > 0 && strikes('corruptGet')) body[0] = (body[0] ?? 0) ^ 1
    response.end(body)
  }
  const server = createServer((request: IncomingMessage, response) => {
    const key = request.url ?? ''
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.method === 'PUT') put(key, Buffer.concat(chunks), response)
      else if (request.method === 'DELETE') {
        objects.delete(key)
        response.statusCode = 204
        response.end()
      } else get(key, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function judge(t: TestContext, faults: Faults): Promise<WorkloadReport> {
  const endpoint = await startStore(t, faults)
  const target = { endpoint, region: 'eu-central-1', accessKeyId: 'A', secretAccessKey: 'B' }
  const load = { bucket: 'b', writers: 3, readers: 3, sizes: [0, 10, 5_000], seed: 1 }
  const workload = new VerifiedWorkload({ target, ...load })
  workload.start()
  await until('six hundred writes are acknowledged', () => workload.acknowledgedCount >= 600)
  await workload.stop()
  const report = await workload.verifyAll()
  workload.close()
  return report
}

test('a store that keeps its promises passes', async (t) => {
  const report = await judge(t, {})
  assert.deepEqual(report.violations, [])
  assert.deepEqual(report.errors, {})
  assert.ok(report.readsVerified > report.keys)
})

test('writes whose answer is lost may have happened or not: no violation', async (t) => {
  const report = await judge(t, { cutPut: 7 })
  assert.deepEqual(report.violations, [])
  assert.ok(Object.values(report.errors).some((count) => count > 0))
})

test('an acknowledged object that is lost is found', async (t) => {
  assert.notDeepEqual((await judge(t, { losePut: 40 })).violations, [])
})

test('a wrong byte is found', async (t) => {
  const { violations } = await judge(t, { corruptGet: 100 })
  assert.ok(violations.some((violation) => violation.includes('nobody wrote')))
})

test('a stale read is found', async (t) => {
  const { violations } = await judge(t, { staleGet: 50 })
  assert.ok(violations.some((violation) => violation.includes('not linearizable')))
})
