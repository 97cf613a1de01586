/**
 * `bundescloud kms`: the named keys of a key store file, for its owner. Keys themselves are never shown.
 *
 * A running gateway sees changes with its next use of a key. Destroying one is the erasure of all that it wrapped, so
 * it must be asked for by name twice.
 */
import type { Command } from 'commander'
import { addNamedKeys, destroyNamedKey, namedKeys } from '../../node/io/kms-file.ts'
import { layoutOf } from '../dev/layout.ts'

interface Options {
  readonly file?: string
  readonly dataDir: string
}

/** Adds the verbs to the program; `defaultDataDir` is the local federation's. */
export function addKms(program: Command, defaultDataDir: string): void {
  const kms = program.command('kms').description("named keys of the owner's key store (SSE-KMS)")
  const verb = (usage: string, description: string) =>
    kms
      .command(usage)
      .description(description)
      .option('--file <file>', 'the key store; absent: that of a local federation')
      .option('--data-dir <folder>', 'where the data of the local federation lies', defaultDataDir)
  verb('list-keys', 'names of the keys that clients may choose').action(async (options: Options) => {
    for (const name of await namedKeys(fileOf(options))) process.stdout.write(`${name}\n`)
  })
  verb('create-key <name>', 'create a named key; one that exists stays as it is').action(
    async (name: string, options: Options) => {
      await addNamedKeys(fileOf(options), [name])
    },
  )
  verb('destroy-key <name>', 'destroy a named key: what it encrypted is unreadable for ever')
    .requiredOption('--really <name>', 'the name once more')
    .action(async (name: string, options: Options & { really: string }) => {
      if (options.really !== name) throw new Error('--really must repeat the name of the key')
      await destroyNamedKey(fileOf(options), name)
    })
}

function fileOf({ file, dataDir }: Options): string {
  return file ?? layoutOf(dataDir).kmsFile
}
