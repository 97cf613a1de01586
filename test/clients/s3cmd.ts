/**
 * s3cmd with the settings that `npm start` prints. Its signed URLs use signature version 2, which AWS retired and we
 * never had; its only ranged read is to continue a download.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { s3cmdSettings } from '../../ops/dev/client-settings.ts'
import { linesOf, missingTool, runTool, type StockClient } from './stock-client.ts'

export const s3cmd: StockClient = {
  name: 's3cmd',
  unavailable: () => missingTool('s3cmd', '--version'),
  open: async (access, folder) => {
    const config = join(folder, 's3cfg')
    await writeFile(config, `${s3cmdSettings(access)}\n`)
    const env = { HOME: folder, LC_ALL: 'C.UTF-8' }
    const call = (...args: string[]) => runTool('s3cmd', ['-c', config, ...args], { env })
    const uri = (bucket: string, key = '') => `s3://${bucket}/${key}`
    return {
      makeBucket: async (bucket) => void (await call('mb', uri(bucket))),
      put: async (bucket, key, file) => void (await call('put', file, uri(bucket, key))),
      get: async (bucket, key, file) => void (await call('get', '--force', uri(bucket, key), file)),
      range: async (bucket, key, first, last) => {
        const file = join(folder, 'continued')
        await writeFile(file, Buffer.alloc(first))
        await call('get', '--continue', uri(bucket, key), file)
        return (await readFile(file)).subarray(first, last + 1)
      },
      copy: async (bucket, from, to) => void (await call('cp', uri(bucket, from), uri(bucket, to))),
      list: async (bucket) =>
        linesOf((await call('ls', '--recursive', uri(bucket))).stdout).map((line) =>
          line.slice(line.indexOf('s3://') + uri(bucket).length),
        ),
      remove: async (bucket, key) => void (await call('del', uri(bucket, key))),
    }
  },
}
