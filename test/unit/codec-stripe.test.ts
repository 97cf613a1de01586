import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomFillSync, randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { codeOf, range } from '../../wasm/code.ts'
import { CodecError, type CodeSpec, codecFor, selfTest } from '../../wasm/codec.ts'
import { slowShards } from '../../wasm/oracle.ts'

const SPECS: readonly CodeSpec[] = (['cauchy-xor', 'vandermonde-11d'] as const).flatMap((code) =>
  [
    [1, 1],
    [4, 2],
    [6, 3],
    [17, 3],
    [20, 10],
    [40, 5],
  ].map(([dataShards = 1, parityShards = 0]) => ({ code, dataShards, parityShards })),
)

describe('a stripe', () => {
  for (const spec of SPECS) {
    const name = `${spec.code} ${spec.dataShards}+${spec.parityShards}`
    const codec = codecFor(spec)
    const cellBytes = codec.blockBytes === 1 ? 77 : 3 * codec.blockBytes
    const shards = spec.dataShards + spec.parityShards

    it(`encodes ${name} as the oracle does`, async () => {
      const pool = codec.createStripePool({ cellBytesMax: cellBytes, trailerBytes: 8, stripesMax: 1 })
      const stripe = await pool.acquire()
      for (const cell of stripe.cells) randomFillSync(cell)
      stripe.encode(cellBytes)
      const parity = slowShards(
        codeOf(spec),
        stripe.cells.slice(0, spec.dataShards),
        range(spec.dataShards, shards),
      )
      assert.deepEqual(stripe.cells.slice(spec.dataShards), parity)
    })

    it(`reconstructs random erasures of ${name}`, async () => {
      const pool = codec.createStripePool({ cellBytesMax: cellBytes, trailerBytes: 8, stripesMax: 1 })
      const stripe = await pool.acquire()
      for (const cell of stripe.cells) randomFillSync(cell)
      stripe.encode(cellBytes)
      const whole = stripe.cells.map((cell) => Buffer.from(cell))
      for (let round = 0; round < 20; round++) {
        const lost = new Set(Array.from({ length: spec.parityShards }, () => randomInt(shards)))
        const present = whole.map((_, shard) => !lost.has(shard))
        for (const shard of lost) stripe.cells[shard]?.fill(round)
        stripe.reconstruct(cellBytes, { present })
        assert.deepEqual(stripe.cells, whole, `lost ${[...lost]}`)
      }
    })
  }
})

describe('the self-test', () => {
  it('passes on this machine', () => {
    assert.doesNotThrow(selfTest)
  })

  it('passes in the 256-bit form too, where the process was started with the flag', () => {
    const script = `import { selfTest } from ${JSON.stringify(new URL('../../wasm/codec.ts', import.meta.url).href)}
      selfTest(); console.log('passed', process.execArgv.length > 0)`
    const flags = ['--experimental-wasm-revectorize', '--import', 'tsx', '--input-type=module']
    const child = spawnSync(process.execPath, [...flags, '--eval', script], { encoding: 'utf8' })
    assert.equal(child.stdout, 'passed true\n', child.stderr)
  })

  it('throws when an engine computes a wrong byte', () => {
    const { Instance } = WebAssembly
    try {
      // An engine whose kernels do nothing: what it leaves in the parity cells is not parity.
      WebAssembly.Instance = class {
        readonly exports = { run: () => 0 }
      }
      assert.throws(selfTest, /self-test: encode of cauchy-xor 4\+2 is wrong/)
    } finally {
      WebAssembly.Instance = Instance
    }
  })
})

describe('codecFor', () => {
  it('refuses what is not a code with a clear message', () => {
    assert.throws(() => codecFor({ code: 'cauchy-xor', dataShards: 0, parityShards: 2 }), CodecError)
    assert.throws(
      () => codecFor({ code: 'cauchy-xor', dataShards: 200, parityShards: 57 }),
      /at most 256 shards/,
    )
  })
})
