import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { codeOf, range } from '../../wasm/code.ts'
import { CodecError } from '../../wasm/codec.ts'
import { CodecPool, worthOffloading } from '../../wasm/codec-pool.ts'
import { slowShards } from '../../wasm/oracle.ts'

const SPEC = { code: 'cauchy-xor', dataShards: 4, parityShards: 2 } as const
const CELL_BYTES = 256
const SHARDS = 6

function randomCells(): SharedArrayBuffer {
  const cells = new SharedArrayBuffer(SHARDS * CELL_BYTES)
  randomFillSync(new Uint8Array(cells))
  return cells
}

function cellsOf(shared: SharedArrayBuffer): Buffer[] {
  return range(0, SHARDS).map((shard) => Buffer.from(shared, shard * CELL_BYTES, CELL_BYTES))
}

describe('the codec pool', () => {
  it('encodes and reconstructs many stripes with a bounded queue', async () => {
    const pool = new CodecPool({ threads: 2, queueMax: 3 })
    try {
      const peaks: number[] = []
      await Promise.all(
        range(0, 20).map(async (index) => {
          const shared = randomCells()
          const task = { spec: SPEC, cells: shared, cellBytes: CELL_BYTES }
          await pool.encode(task)
          peaks.push(pool.inFlight)
          const cells = cellsOf(shared)
          const parity = slowShards(codeOf(SPEC), cells.slice(0, 4), [4, 5])
          assert.deepEqual(cells.slice(4), parity, `stripe ${index}`)
          const whole = cells.map((cell) => Buffer.from(cell))
          cells[0]?.fill(0)
          cells[5]?.fill(0)
          await pool.reconstruct({ ...task, present: [false, true, true, true, true, false] })
          assert.deepEqual(cellsOf(shared), whole, `stripe ${index}`)
        }),
      )
      assert.ok(Math.max(...peaks) <= 3, 'never more in flight than the queue allows')
      assert.equal(pool.inFlight, 0)
    } finally {
      await pool.close()
    }
  })

  it('passes errors of the codec on, and goes on', async () => {
    const pool = new CodecPool({ threads: 1 })
    try {
      const task = { spec: SPEC, cells: randomCells(), cellBytes: CELL_BYTES }
      const present = [true, true, true, false, false, false]
      await assert.rejects(pool.reconstruct({ ...task, present }), /3 shards are present, 4 are needed/)
      await assert.rejects(pool.encode({ ...task, cellBytes: 255 }), /multiple of/)
      await assert.rejects(pool.encode({ ...task, cellBytes: 512 }), /do not hold/)
      await assert.doesNotReject(pool.encode(task))
    } finally {
      await pool.close()
    }
  })

  it('rejects what waits when it closes, and what comes after', async () => {
    const pool = new CodecPool({ threads: 1, queueMax: 1 })
    const task = { spec: SPEC, cells: randomCells(), cellBytes: CELL_BYTES }
    const waiting = Promise.allSettled([pool.encode(task), pool.encode(task), pool.encode(task)])
    await pool.close()
    for (const outcome of await waiting) assert.equal(outcome.status, 'rejected')
    await assert.rejects(pool.encode(task), CodecError)
  })

  it('refuses bounds that are none, and advises against small stripes', () => {
    assert.throws(() => new CodecPool({ threads: 0 }), CodecError)
    assert.throws(() => new CodecPool({ threads: 1, queueMax: 0 }), CodecError)
    assert.equal(worthOffloading(65_536), false)
  })
})
