/** `init`: a project in a new folder that runs at once. */
import type { Command } from 'commander';
import { cp, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';
import { packageRoot } from '../base/package-root.js';

const template = path.join(packageRoot, 'templates', 'shop');

export function addInitCommand(program: Command): void {
  program
    .command('init')
    .description('begin a project: an example policy of a shop, prompts, settings, a README')
    .argument('<folder>', 'a new folder, or an empty one')
    .addHelpText('after', '\nExample:\n  deliberate init my-project\n  deliberate run my-project/config.yaml --out my-project/runs/shop')
    .action(async (folder: string) => {
      const files = await initProject(folder);
      console.log(`${folder}: ${files.join(', ')}`);
      console.log(`Next: deliberate run ${path.join(folder, 'config.yaml')} --out ${path.join(folder, 'runs', 'shop')}`);
      console.log(`Then change ${path.join(folder, 'policy')} and see: deliberate spec lint ${path.join(folder, 'policy')}`);
    });
}

/** @returns names of what lies in the folder. @throws input error when the folder is a file or not empty */
export async function initProject(folder: string): Promise<string[]> {
  const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') throw inputError(`${folder}: is a file. Give the name of a new folder.`, error);
    throw diskError(folder, error);
  });
  if (there.length > 0)
    throw inputError(
      `${folder}: is not empty (${there.slice(0, 3).join(', ')}${there.length > 3 ? ', …' : ''}). Give the name of a new folder; nothing was written.`,
    );
  try {
    // cp would make it, and hang where none can be made.
    await makeFolder(folder);
    await cp(template, folder, { recursive: true });
    // Not in the template: npm leaves such files out of packages.
    await writeFile(path.join(folder, '.gitignore'), 'runs/\n');
    return (await readdir(folder)).sort();
  } catch (error) {
    throw diskError(folder, error);
  }
}
