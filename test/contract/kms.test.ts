/** One suite for every key store: file, Transit service and the one of tests must not differ in what gateways rely on. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ClusterError, type ClusterErrorCode } from '../../node/errors.ts'
import { createFileKms, destroyNamedKey, openFileKms } from '../../node/io/kms-file.ts'
import { openTransitKms } from '../../node/io/kms-transit.ts'
import type { Kms } from '../../node/world.ts'
import { MemoryKms } from '../sim/memory-kms.ts'
import { TransitServer } from '../sim/transit-server.ts'

const is = (code: ClusterErrorCode) => (error: unknown) =>
  error instanceof ClusterError && error.code === code

/** A key store with the named keys `a` and `b`. */
interface Subject {
  readonly kms: Kms
  /** As another gateway sees it. */
  readonly other: Kms
  destroy(name: string): void | Promise<void>
  dispose(): void | Promise<void>
}

async function fileSubject(): Promise<Subject> {
  const directory = await mkdtemp(join(tmpdir(), 'kms-'))
  const path = join(directory, 'owner.key.json')
  await createFileKms(path, { named: ['a', 'b'] })
  return {
    kms: openFileKms(path),
    other: openFileKms(path),
    destroy: (name) => destroyNamedKey(path, name),
    dispose: () => rm(directory, { recursive: true }),
  }
}

async function transitSubject(): Promise<Subject> {
  const server = await TransitServer.start()
  for (const name of ['owner', 's3-a', 's3-b']) server.create(name)
  const directory = await mkdtemp(join(tmpdir(), 'kms-'))
  const tokenFile = join(directory, 'token')
  await writeFile(tokenFile, `${server.token}\n`)
  const url = `http://127.0.0.1:${server.port}`
  const options = { url, mount: 'transit', tokenFile, ownKey: 'owner', namedPrefix: 's3-' }
  return {
    kms: openTransitKms(options),
    other: openTransitKms(options),
    destroy: (name) => server.destroy(`s3-${name}`),
    dispose: async () => {
      await server.close()
      await rm(directory, { recursive: true })
    },
  }
}

function memorySubject(): Subject {
  const kms = new MemoryKms(['a', 'b'])
  return { kms, other: kms, destroy: (name) => kms.destroy(name), dispose: () => undefined }
}

for (const [name, open] of [
  ['file', fileSubject],
  ['Transit service', transitSubject],
  ['memory', memorySubject],
] as const) {
  describe(`key store: ${name}`, () => {
    let at: Subject
    beforeEach(async () => {
      at = await open()
    })
    afterEach(() => at.dispose())

    test('what a key wrapped, the same key unwraps in the same use, also for another gateway', async () => {
      for (const key of [undefined, 'a', 'b']) {
        for (const secret of [randomBytes(32), randomBytes(100), Buffer.from([0])]) {
          const wrapped = await at.kms.wrap(secret, 'use/ä\n1', key)
          assert.ok(wrapped.length <= 512)
          assert.ok(!Buffer.from(wrapped).includes(secret) || secret.length === 1)
          assert.ok((await at.other.unwrap(wrapped, 'use/ä\n1', key)).equals(secret))
        }
      }
    })

    test('another key, use or byte is DecryptionFailed', async () => {
      const wrapped = await at.kms.wrap(randomBytes(32), 'use/1', 'a')
      const refused = is('DecryptionFailed')
      await assert.rejects(at.kms.unwrap(wrapped, 'use/2', 'a'), refused)
      await assert.rejects(at.kms.unwrap(wrapped, 'use/1', 'b'), refused)
      await assert.rejects(at.kms.unwrap(wrapped, 'use/1'), refused)
      const own = await at.kms.wrap(randomBytes(32), 'use/1')
      await assert.rejects(at.kms.unwrap(own, 'use/1', 'a'), refused)
      for (let byte = 0; byte < wrapped.length; byte += 5) {
        const bad = Buffer.from(wrapped)
        bad[byte] = (bad[byte] ?? 0) ^ 0x55
        await assert.rejects(at.kms.unwrap(bad, 'use/1', 'a'), refused, `byte ${byte}`)
        await assert.rejects(at.kms.unwrap(wrapped.subarray(0, byte), 'use/1', 'a'), refused, `${byte} bytes`)
      }
    })

    test('a name without a key is KmsKeyNotFound and stays without one', async () => {
      const wrapped = await at.kms.wrap(randomBytes(32), 'use/1', 'a')
      const names = ['c', '', '../owner', 'a/b', '__proto__', 'alias/aws/s3', 'n'.repeat(2000), 'a?b', 'ä']
      for (const unknown of names) {
        for (let twice = 0; twice < 2; twice++) {
          await assert.rejects(at.kms.wrap(randomBytes(32), 'use/1', unknown), is('KmsKeyNotFound'), unknown)
          await assert.rejects(at.kms.unwrap(wrapped, 'use/1', unknown), is('KmsKeyNotFound'), unknown)
        }
      }
    })

    test('a destroyed key is gone with the next call, for every gateway', async () => {
      const wrapped = await at.kms.wrap(randomBytes(32), 'use/1', 'a')
      await at.other.unwrap(wrapped, 'use/1', 'a')
      await at.destroy('a')
      for (const kms of [at.kms, at.other]) {
        await assert.rejects(kms.unwrap(wrapped, 'use/1', 'a'), is('KmsKeyNotFound'))
        await assert.rejects(kms.wrap(randomBytes(32), 'use/1', 'a'), is('KmsKeyNotFound'))
        assert.ok(await kms.wrap(randomBytes(32), 'use/1', 'b'))
      }
    })
  })
}
