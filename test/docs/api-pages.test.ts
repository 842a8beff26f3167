import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Headings } from '../../tools/api-docs/headings.js'
import { apiPages, undocumented } from '../../tools/api-docs/pages.js'
import { readSurfaces, type Surface } from '../../tools/api-docs/surface.js'
import { examples } from './snippets.js'

const root = join(import.meta.dirname, '../..')
const folder = join(root, 'docs/api')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, unknown> }
let surfaces: Surface[]

beforeAll(() => {
  surfaces = readSurfaces(root)
})

const pageNames = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.md'))
const page = (name: string): string => readFileSync(join(folder, name), 'utf8')

const known = new Map<string, Set<string>>()

/** The anchors of a page, as whoever shows it makes them. */
function anchorsOf(path: string): Set<string> {
  const found = known.get(path) ?? findAnchors(readFileSync(path, 'utf8'))
  known.set(path, found)
  return found
}

function findAnchors(text: string): Set<string> {
  const headings = new Headings()
  const titles = text.replace(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/^#+ (.*)$/gm)
  return new Set([...titles].map(([, title]) => headings.add(title!)))
}

describe('docs/api', () => {
  it('says what the sources say; npm run docs:api writes it anew', () => {
    const expected = apiPages(surfaces)
    expect(pageNames().sort()).toEqual([...expected.keys()].sort())
    for (const [name, text] of expected) expect(page(name), name).toBe(text)
  })

  it('has a page for each door of the package', () => {
    // What is a text is a file and no door: package.json, and the threads for bundlers.
    const doors = Object.keys(manifest.exports).filter((door) => typeof manifest.exports[door] === 'object')
    expect(surfaces.map(({ door }) => door.specifier.replace('siltstone', '.')).sort()).toEqual(doors.sort())
  })

  it('finds a comment on everything that is exported, and on its members', () => {
    expect(undocumented(surfaces)).toEqual([])
  })

  it('leads nowhere in vain', () => {
    const broken = pageNames().flatMap((name) => {
      const links = [...page(name).matchAll(/\]\(([^)#]*)(?:#([^)]+))?\)/g)]
      expect(links.length).toBeGreaterThan(5)
      return links
        .filter(([, file, anchor]) => {
          const target = file === '' ? join(folder, name) : join(dirname(join(folder, name)), file!)
          if (!existsSync(target)) return true
          return anchor !== undefined && !anchorsOf(target).has(anchor)
        })
        .map(([link]) => `${name}: ${link}`)
    })
    expect(broken).toEqual([])
  })

  it('shows no program that is not run: each is an example of a comment', () => {
    const run = examples().map(({ example }) => example.trim())
    const shown = pageNames().flatMap((name) =>
      [...page(name).matchAll(/^```(?:ts|js)\n(.*?)\n```$/gms)].map(([, code]) => code),
    )
    expect(shown.length).toBeGreaterThan(50)
    expect(shown.filter((code) => !run.includes(code!))).toEqual([])
  })
})
