/** rclone with the settings that `npm start` prints. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rcloneSettings } from '../../ops/dev/client-settings.ts'
import { linesOf, missingTool, runTool, type StockClient } from './stock-client.ts'

export const rclone: StockClient = {
  name: 'rclone',
  unavailable: () => missingTool('rclone', 'version'),
  open: async (access, folder) => {
    const config = join(folder, 'rclone.conf')
    await writeFile(config, `${rcloneSettings(access)}\n`)
    const env = { HOME: folder, RCLONE_CONFIG: config }
    const call = (args: string[], input?: Buffer) =>
      runTool('rclone', args, { env, ...(input === undefined ? {} : { input }) })
    const remote = (bucket: string, key = '') => `bundescloud:${bucket}/${key}`
    return {
      makeBucket: async (bucket) => void (await call(['mkdir', remote(bucket)])),
      put: async (bucket, key, file) => void (await call(['copyto', file, remote(bucket, key)])),
      // Files up to 200 MiB go up whole; a stream of unknown length goes up in parts.
      putLarge: async (bucket, key, file) =>
        void (await call(['rcat', remote(bucket, key)], await readFile(file))),
      get: async (bucket, key, file) => void (await call(['copyto', remote(bucket, key), file])),
      range: async (bucket, key, first, last) => {
        const range = ['--offset', String(first), '--count', String(last - first + 1)]
        return (await call(['cat', ...range, remote(bucket, key)])).stdout
      },
      presign: async (bucket, key) =>
        (await call(['link', remote(bucket, key)])).stdout.toString('utf8').trim(),
      copy: async (bucket, from, to) =>
        void (await call(['copyto', remote(bucket, from), remote(bucket, to)])),
      list: async (bucket) => linesOf((await call(['lsf', '-R', '--files-only', remote(bucket)])).stdout),
      remove: async (bucket, key) => void (await call(['deletefile', remote(bucket, key)])),
    }
  },
}
