/**
 * The search behind tuned programs and new patterns: what it finds computes the matrix, and costs what it says.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { orderNetwork } from '../../wasm/tuning/network-order.ts'
import { searchNetworks, varyNetwork } from '../../wasm/tuning/xor-search.ts'
import { cancelSums, networkXors, type XorNetwork } from '../../wasm/xor-chain.ts'
import { planPrograms } from '../../wasm/xor-plan.ts'
import { computesRows, shareSums, xorCount } from '../../wasm/xor-program.ts'
import { xorshift } from '../../wasm/xorshift.ts'

type Rows = readonly (readonly number[])[]

function randomRows(count: number, inputs: number, seed: number): Rows {
  const random = xorshift(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: inputs }, (_, input) => input).filter(() => random() < 0.5),
  )
}

/** Rows and inputs, with what the transposed matrix could trip over. */
const MATRICES: Readonly<Record<string, readonly [Rows, number]>> = {
  'a random matrix': [randomRows(8, 20, 1), 20],
  'a tall matrix': [randomRows(14, 6, 2), 6],
  'one row': [[[0, 1, 2, 5]], 6],
  'one row of one input': [[[3]], 6],
  'rows that are zero, equal or one input, and an input without use': [
    [[], [0, 1, 2], [0, 1, 2], [4], [1, 4]],
    6,
  ],
  'a row that is the sum of two others': [
    [
      [0, 1],
      [2, 3],
      [0, 1, 2, 3],
    ],
    4,
  ],
}

describe('cancelled sums', () => {
  for (const [name, [rows, inputs]] of Object.entries(MATRICES)) {
    it(`compute ${name}`, () => {
      assert.ok(computesRows(cancelSums(rows, inputs), rows))
    })
  }

  it('need fewer XORs than shared sums where terms cancel', () => {
    const [rows, inputs] = [randomRows(12, 40, 3), 40]
    const [cancelled, shared] = [xorCount(cancelSums(rows, inputs)), xorCount(shareSums(rows, inputs))]
    assert.ok(cancelled < shared, `${cancelled} against ${shared}`)
  })
})

describe('the search for programs', () => {
  const [rows, inputs] = [randomRows(12, 30, 4), 30]
  const registers = 9

  it('finds networks with fewer and fewer XORs', () => {
    const found: number[] = []
    searchNetworks(rows, inputs, {
      rounds: 10,
      random: xorshift(5),
      found: (network) => found.push(networkXors(network)),
    })
    assert.ok(found.length > 1)
    assert.deepEqual(
      found,
      found.toSorted((a, b) => b - a),
    )
  })

  it('orders networks into programs of the same matrix that cost what was counted', () => {
    const random = xorshift(6)
    const networks: XorNetwork[] = []
    searchNetworks(rows, inputs, { rounds: 3, random, found: (network) => networks.push(network) })
    let [like] = networks.map((network) =>
      orderNetwork(network, { registers, steps: 500, random, hottest: 1 }),
    )
    for (const forgotten of [0, 0.1, 0.5]) {
      assert.ok(like)
      assert.ok(computesRows(like.program, rows))
      const { operations } = planPrograms(rows, [like.program], registers)
      assert.equal(xorCount(like.program) + like.accesses, operations)
      const varied = varyNetwork(rows, like.program, { forgotten, slack: 20, random })
      assert.ok(varied, 'within so many XORs more it is found again')
      like = orderNetwork(varied, { registers, steps: 500, random, hottest: 1, like: like.program })
    }
  })
})
