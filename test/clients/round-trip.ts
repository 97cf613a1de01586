/**
 * The errands of the client matrix: what every stock client does against a federation.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientAccess } from '../../ops/dev/client-settings.ts'
import { sha256Hex } from '../workload/bodies.ts'
import type { StockClient } from './stock-client.ts'

const smallKey = 'docks/small.bin'
const largeKey = 'docks/large.bin'
const oddKey = 'Dienststelle München/Straße 7/Ärger & Übermut (1)+ß.mp4'

interface TestFile {
  readonly path: string
  readonly body: Buffer
}

export interface RoundTripPlace {
  readonly access: ClientAccess
  /** Names the client's bucket and its home under `folder`. */
  readonly name: string
  readonly folder: string
  readonly files: { readonly small: TestFile; readonly large: TestFile }
}

function sha256OfFile(path: string): string {
  return sha256Hex(readFileSync(path))
}

/** Does every errand that the client can do; rejects with the client's and the errand's name. */
export async function roundTrip(client: StockClient, place: RoundTripPlace): Promise<void> {
  const { access, name, folder, files } = place
  const home = join(folder, name)
  mkdirSync(home)
  const session = await client.open(access, home)
  const bucket = `client-${name}`
  const received = join(home, 'received')
  const step = async (what: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run()
    } catch (cause) {
      throw new Error(`${client.name}, ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      })
    }
  }
  await step('create bucket', () => session.makeBucket(bucket))
  await step('small object', async () => {
    await session.put(bucket, smallKey, files.small.path)
    await session.get(bucket, smallKey, received)
    assert.equal(sha256OfFile(received), sha256Hex(files.small.body))
  })
  await step('70 MiB object', async () => {
    await (session.putLarge ?? session.put)(bucket, largeKey, files.large.path)
    await session.get(bucket, largeKey, received)
    assert.equal(sha256OfFile(received), sha256Hex(files.large.body))
  })
  await step('a name with spaces, umlauts and signs', async () => {
    await session.put(bucket, oddKey, files.small.path)
    await session.get(bucket, oddKey, received)
    assert.equal(sha256OfFile(received), sha256Hex(files.small.body))
  })
  await step('ranged read', async () => {
    const range = await session.range?.(bucket, largeKey, 5_000_000, 9_000_000)
    if (range !== undefined)
      assert.equal(sha256Hex(range), sha256Hex(files.large.body.subarray(5_000_000, 9_000_001)))
  })
  await step('presigned URL', async () => {
    const url = await session.presign?.(bucket, oddKey)
    if (url === undefined) return
    const response = await fetch(url)
    const body = Buffer.from(await response.arrayBuffer())
    assert.equal(response.status, 200, body.toString('utf8').slice(0, 500))
    assert.equal(sha256Hex(body), sha256Hex(files.small.body))
  })
  const expected = [smallKey, largeKey, oddKey]
  await step('copy', async () => {
    if (session.copy === undefined) return
    await session.copy(bucket, oddKey, 'copies/Kopie ä.mp4')
    expected.push('copies/Kopie ä.mp4')
    await session.get(bucket, 'copies/Kopie ä.mp4', received)
    assert.equal(sha256OfFile(received), sha256Hex(files.small.body))
  })
  await step('list', async () => {
    assert.deepEqual((await session.list(bucket)).toSorted(), expected.toSorted())
  })
  await step('delete', async () => {
    await session.remove(bucket, oddKey)
    await session.remove(bucket, smallKey)
    const left = expected.filter((key) => key !== oddKey && key !== smallKey)
    assert.deepEqual((await session.list(bucket)).toSorted(), left.toSorted())
  })
  await session.close?.()
}
