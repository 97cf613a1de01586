/**
 * `bundescloud bucket`: what an operator sets for a bucket that S3 knows nothing of. Talks to the running gateway, on
 * its own machine.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { readGatewayConfig } from '../../gateway/config.ts'
import { askDoor } from '../../gateway/operator-door.ts'
import { gatewayId } from '../dev/found.ts'
import { layoutOf } from '../dev/layout.ts'

interface Options {
  /** Commander knows no null. */
  readonly bytes?: number | 'none'
  readonly objects?: number | 'none'
  readonly config?: string
  readonly dataDir: string
  readonly json?: boolean
}

const bound = z.number().optional()
const reportSchema = z.object({
  bucket: z.string(),
  quota: z.object({ bytesMax: bound, objectsMax: bound }),
  holds: z.object({ objects: z.number(), versions: z.number(), uploads: z.number(), bytes: z.number() }),
})

/** Adds the verbs to the program; `defaultDataDir` is the local federation's. */
export function addBucket(program: Command, defaultDataDir: string): void {
  program
    .command('bucket')
    .description('what an operator sets for a bucket')
    .command('quota <bucket>')
    .description('show what a bucket holds and may hold; with an option, change what it may hold')
    .option('--bytes <size>', 'of all versions and parts, for example 500GiB; none: no bound', sizeOrNone)
    .option('--objects <number>', 'versions and delete markers; none: no bound', numberOrNone)
    .option('--config <file>', "the gateway's configuration; absent: that of a local federation")
    .option('--data-dir <folder>', 'where the data of the local federation lies', defaultDataDir)
    .option('--json', 'for programs')
    .action(async (bucket: string, options: Options) => {
      const order = {
        command: 'bucket-quota' as const,
        bucket,
        ...(options.bytes === undefined ? {} : { bytesMax: boundOf(options.bytes) }),
        ...(options.objects === undefined ? {} : { objectsMax: boundOf(options.objects) }),
      }
      const answer = reportSchema.parse(await askDoor(gatewayDir(options), order))
      process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : showQuota(answer))
    })
}

function gatewayDir({ config, dataDir }: Options): string {
  if (config !== undefined) return readGatewayConfig(config).dataDir
  return layoutOf(dataDir).gatewayDir(gatewayId)
}

const powers: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 }

function boundOf(value: number | 'none'): number | null {
  return value === 'none' ? null : value
}

/** `500GiB`, `500G` and `536870912000` are one size. Throws InvalidArgumentError. */
export function sizeOrNone(text: string): number | 'none' {
  if (text === 'none') return text
  const parts = /^(\d{1,15})(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text)
  const unit = parts?.[2]?.toLowerCase()
  const bytes = Number(parts?.[1]) * (unit === undefined ? 1 : 1024 ** (powers[unit] ?? 0))
  if (parts === null || !Number.isSafeInteger(bytes)) throw new InvalidArgumentError('must be a size or none')
  return bytes
}

function numberOrNone(text: string): number | 'none' {
  if (text === 'none') return text
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('must be a whole number or none')
  return Number(text)
}

function showQuota({ bucket, quota, holds }: z.infer<typeof reportSchema>): string {
  const line = (what: string, held: number, max: number | undefined): string =>
    `  ${what.padEnd(9)} ${held} of ${max === undefined ? 'any number' : max}\n`
  return [
    `${bucket}\n`,
    line('bytes', holds.bytes, quota.bytesMax),
    line('versions', holds.objects + holds.versions, quota.objectsMax),
  ].join('')
}
