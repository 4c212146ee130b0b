// Two kinds of tests: *.test.js need nothing but Node; *.browser.test.js need a Chromium, for sound and for views.

import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { viteWorklets } from "./worklet-source.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const MICROPHONE = fileURLToPath(new URL("../tests/fixtures/weather_awb.wav", import.meta.url));

/** @returns {string | undefined} an installed Chromium or Chrome; undefined: the one that Playwright has, if any */
function chromium() {
  const named = process.env.GIP_CHROMIUM;
  if (named) return named;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name))).find(existsSync);
}

const executablePath = chromium();

export default defineConfig({
  plugins: [viteWorklets()],
  server: { fs: { allow: [fileURLToPath(new URL("..", import.meta.url))] } },
  test: {
    // A machine that does something else at the same time is slow, and not wrong.
    testTimeout: 30_000,
    setupFiles: ["test/patience.js"],
    projects: [
      {
        extends: true,
        test: {
          name: "node",
          include: ["test/**/*.test.js"],
          exclude: ["test/**/*.browser.test.js"],
          environment: "node",
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/**/*.browser.test.js"],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                ...(executablePath ? { executablePath } : {}),
                args: [
                  "--use-fake-device-for-media-stream",
                  "--use-fake-ui-for-media-stream",
                  `--use-file-for-fake-audio-capture=${MICROPHONE}`,
                  "--autoplay-policy=no-user-gesture-required",
                  "--no-sandbox",
                  "--disable-gpu",
                  "--disable-background-networking",
                  "--disable-component-update",
                  "--disable-sync",
                  "--no-first-run",
                ],
              },
            }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});
