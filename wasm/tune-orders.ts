/**
 * Writes tuned-orders.ts: a long search for the order of additions in the encoders of well-known codes.
 *
 * Run by hand after a change of points, sharing or register assignment: `node --import tsx wasm/tune-orders.ts`.
 * Deterministic; takes some minutes.
 */
import { writeFileSync } from 'node:fs'
import { codeOf, encodeMap } from './code.ts'
import { REGISTERS } from './xor-engine.ts'
import { planXor } from './xor-plan.ts'

const CODES = [
  [4, 2],
  [6, 3],
  [8, 4],
  [10, 4],
  [12, 4],
  [16, 4],
  [17, 3],
  [20, 10],
] as const
const SEEDS = [1, 2, 3]
const SEARCH_ADDITIONS = 20_000_000

function tune(dataShards: number, parityShards: number): readonly string[] {
  const code = codeOf({ code: 'cauchy-xor', dataShards, parityShards })
  const plans = SEEDS.map((seed) =>
    planXor(code.field, encodeMap(code), {
      registers: REGISTERS,
      searchAdditions: SEARCH_ADDITIONS,
      seed,
    }),
  )
  const best = plans.reduce((least, plan) => (plan.operations < least.operations ? plan : least))
  console.log(`${dataShards}+${parityShards}: ${plans.map((plan) => plan.operations).join(' ')} operations`)
  return best.orders.map((order) => Buffer.from(Uint16Array.from(order).buffer).toString('base64'))
}

const entries = CODES.map(([k, m]) => {
  const orders = tune(k, m).map((order) => `    '${order}',`)
  return `  '${k}+${m}': [\n${orders.join('\n')}\n  ],`
})

writeFileSync(
  new URL('tuned-orders.ts', import.meta.url),
  `/**
 * Orders of addition found by tune-orders.ts, which writes this file: per encoder and pass a permutation of the
 * pass's events as little-endian 16-bit numbers in base64.
 *
 * Invariant: speed only. An order that does not fit its program is refused when the plan is made.
 */
export const TUNED_ORDERS: Readonly<Record<string, readonly string[]>> = {
${entries.join('\n')}
}
`,
)
