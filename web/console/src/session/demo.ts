/** The accounts of `tocsin demo`, which everybody may use: so that a visitor is in with one click. */
import type { Role } from "@tocsin/react";

export const DEMO_PASSWORD = "tocsin-demo-ward";

export const DEMO_ACCOUNTS: { role: Role; email: string }[] = [
  { role: "nurse", email: "nurse@demo.example" },
  { role: "doctor", email: "doctor@demo.example" },
  { role: "admin", email: "admin@demo.example" },
  { role: "patient", email: "patient@demo.example" },
];
