import assert from 'node:assert/strict'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { Md5Scheduler, STREAMS_MIN } from '../../wasm/md5.ts'

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

/** Bodies of many lengths: around a block, its padding, and the slot. */
const LENGTHS = [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 1000, 65_535, 65_536, 65_537, 200_000]

describe('MD5 in lanes', () => {
  it('equals node:crypto for every length, all streams at once', async () => {
    const scheduler = new Md5Scheduler()
    const bodies = LENGTHS.map((length) => randomBytes(length))
    const streams = bodies.map(() => scheduler.stream())
    assert.equal(scheduler.inLanes, LENGTHS.length - STREAMS_MIN + 1)
    const digests = await Promise.all(
      streams.map(async (stream, index) => {
        await stream.update(bodies[index] ?? Buffer.alloc(0))
        return (await stream.digest()).toString('hex')
      }),
    )
    assert.deepEqual(digests, bodies.map(md5))
    assert.equal(scheduler.active, 0)
    assert.equal(scheduler.inLanes, 0)
  })

  it('equals node:crypto for random cuts of more streams than lanes and slots', async () => {
    const scheduler = new Md5Scheduler()
    const bodies = Array.from({ length: 80 }, () => randomBytes(randomInt(150_000)))
    const digests = await Promise.all(
      bodies.map(async (body) => {
        const stream = scheduler.stream()
        for (let from = 0; from < body.length; ) {
          const to = from + 1 + randomInt(70_000)
          await stream.update(body.subarray(from, to))
          from = to
        }
        return (await stream.digest()).toString('hex')
      }),
    )
    assert.deepEqual(digests, bodies.map(md5))
  })

  it('runs a lone stream in node:crypto', async () => {
    const scheduler = new Md5Scheduler()
    const stream = scheduler.stream()
    assert.equal(scheduler.inLanes, 0)
    stream.update(Buffer.from('abc'))
    assert.equal((await stream.digest()).toString('hex'), '900150983cd24fb0d6963f7d28e17f72')
  })

  it('frees the lane of an aborted stream and refuses it afterwards', () => {
    const scheduler = new Md5Scheduler()
    const streams = Array.from({ length: STREAMS_MIN }, () => scheduler.stream())
    const last = streams.at(-1)
    assert.equal(scheduler.inLanes, 1)
    last?.abort()
    last?.abort()
    assert.equal(scheduler.inLanes, 0)
    assert.equal(scheduler.active, STREAMS_MIN - 1)
    assert.throws(() => last?.update(Buffer.from('x')), /ended/)
  })
})
