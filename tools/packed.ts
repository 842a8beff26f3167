import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const IS_WINDOWS = process.platform === 'win32'

/** Runs npm in a folder; throws with what it said when it fails. */
export function npm(args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(IS_WINDOWS ? 'npm.cmd' : 'npm', args, {
    cwd,
    encoding: 'utf8',
    shell: IS_WINDOWS,
  })
  if (status !== 0) throw new Error(`npm ${args[0]} failed: ${stderr || stdout}`)
  return stdout
}

/** The package as it is published: packs what is built, and returns the tarball. */
export function packTarball(root: string, folder: string): string {
  const stdout = npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root)
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  return join(folder, filename)
}
