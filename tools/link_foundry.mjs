#!/usr/bin/env node
// Link the native anvil, cast and forge of their platform packages into DIR (default .venv/bin).
//
// The launchers in node_modules/.bin start the binary as a child process: a test run that kills its
// launcher would leave the node behind, and every call would pay for starting node.
import { createRequire } from "node:module";
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const require = createRequire(import.meta.url);
const target = resolve(process.argv[2] ?? ".venv/bin");
const architecture = { x64: "amd64", arm64: "arm64" }[process.arch];
const platform = `${process.platform}-${architecture}`;

mkdirSync(target, { recursive: true });
for (const tool of ["anvil", "cast", "forge"]) {
  const name = `@foundry-rs/${tool}-${platform}`;
  let binary;
  try {
    binary = join(dirname(require.resolve(`${name}/package.json`)), "bin", tool);
  } catch {
    binary = undefined;
  }
  if (binary === undefined || !existsSync(binary)) {
    console.error(`${name} is not installed: run 'npm ci --include=optional' on a supported platform.`);
    process.exit(1);
  }
  const link = join(target, tool);
  rmSync(link, { force: true });
  symlinkSync(relative(target, binary), link);
}
