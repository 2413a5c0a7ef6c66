//! `tests:disk/control`, by which the program on the disk says what the disk is to do.

use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

use crate::{Disk, Fault};
use bindings::tests::disk::control;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({ path: "wit", world: "tested" });
}

struct HasDisk;

impl HasData for HasDisk {
    type Data<'a> = &'a mut Disk;
}

impl Disk {
    /// Gives a program the control of its disk.
    ///
    /// # Errors
    ///
    /// When the linker has it already.
    pub fn add_control_to_linker<T: 'static>(linker: &mut Linker<T>, disk: fn(&mut T) -> &mut Self) -> Result<()> {
        control::add_to_linker::<T, HasDisk>(linker, disk)
    }
}

impl control::Host for &mut Disk {
    fn watch(&mut self, stem: String) {
        Disk::watch(self, &stem);
    }

    fn fail(&mut self, fault: control::Fault, after: u32, lasting: bool) {
        let fault = match fault {
            control::Fault::Io => Fault::Io,
            control::Fault::FailedSync => Fault::FailedSync,
            control::Fault::NoSpace => Fault::NoSpace,
            control::Fault::Short => Fault::Short,
        };
        Disk::fail(self, fault, after, lasting);
    }

    fn heal(&mut self) -> u32 {
        Disk::heal(self)
    }

    fn leave_space(&mut self, bytes: Option<u64>) {
        Disk::leave_space(self, bytes);
    }

    fn moments(&mut self) -> u32 {
        Disk::moments(self)
    }

    fn cut(&mut self, moment: u32, seed: u64) {
        Disk::cut(self, moment, seed);
    }
}
