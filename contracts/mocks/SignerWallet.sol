// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title A wallet contract that signs by a key, for tests
contract SignerWallet is IERC1271 {
    /// @notice Thrown while the wallet plays a broken one.
    error SignerWallet_Broken();

    address public key;
    bool public broken;

    constructor(address key_) {
        key = key_;
    }

    /// @notice Sets the key whose signatures are the wallet's.
    function setKey(address key_) external {
        key = key_;
    }

    /// @notice Makes the wallet revert when it is asked, or answer again.
    function setBroken(bool broken_) external {
        broken = broken_;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (broken) revert SignerWallet_Broken();
        (address signer,,) = ECDSA.tryRecoverCalldata(hash, signature);
        return signer == key ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}
